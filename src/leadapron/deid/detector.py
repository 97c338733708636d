"""Where text is burned into a picture: PP-OCR's detector and recogniser on ONNX Runtime."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from leadapron.model import Unavailable

Gray = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

LONG_SIDE = 960
MAX_UPSCALE = 2.5
DETAIL_SIGMA = 9.0
STRONG, QUIET, FAINT = 24.0, 4.0, 4.0
INK, SCORE = 0.2, 0.4
UNCLIP = 1.8
TALLEST = 0.16


class TextBox(NamedTuple):
    """A detected line of text: half-open pixel box and the detector's score 0..1.

    `line` is the height of the lines in a box of several; 0 in a box of one.
    """

    x0: int
    y0: int
    x1: int
    y1: int
    score: float
    line: int = 0

    @property
    def height(self) -> int:
        """The line's height; vertical text counts its narrow side."""
        return max(1, min(self.y1 - self.y0, self.x1 - self.x0))


@lru_cache(maxsize=2)
def _session(stem: str) -> Any:
    import importlib.util

    import onnxruntime as ort

    spec = importlib.util.find_spec("rapidocr")
    where = Path(spec.origin).parent / "models" if spec and spec.origin else Path()
    found = sorted(where.glob(f"*{stem}*.onnx"))
    if not found:
        raise Unavailable(
            f"the text model '{stem}' is not installed",
            remedy="install the package 'rapidocr' with its models",
        )
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return ort.InferenceSession(str(found[-1]), options, providers=["CPUExecutionProvider"])


def _run(session: Any, batch: Floats) -> Floats:
    result: Floats = session.run(None, {session.get_inputs()[0].name: batch})[0]
    return result


def _normalise(gray: Gray) -> Floats:
    return (gray.astype(np.float32) / 255.0 - 0.5) / 0.5


def detail(gray: Gray, gain: float = 1.0) -> Gray:
    """Return only what is sharp: a smooth film otherwise lights up as one great text.

    Faint strokes, such as black letters on a nearly black ground, are lifted up to FAINT times
    where nothing stronger is near; `gain` lifts everything.
    """
    import cv2

    picture = gray.astype(np.float32)
    fine = picture - cv2.GaussianBlur(picture, (0, 0), DETAIL_SIGMA)
    strength = np.sqrt(_wide_mean(fine * fine))
    lift = np.clip(STRONG / (strength + QUIET), 1.0, FAINT) * gain
    return np.clip(fine * lift + 128, 0, 255).astype(np.uint8)


def _wide_mean(values: Floats) -> Floats:
    """Return a mean over twice DETAIL_SIGMA, worked out on a quarter of the picture's side."""
    import cv2

    rows, columns = values.shape
    small = (max(1, columns // 4), max(1, rows // 4))
    coarse = cv2.resize(values, small, interpolation=cv2.INTER_AREA)
    coarse = cv2.GaussianBlur(coarse, (0, 0), DETAIL_SIGMA / 2)
    return cv2.resize(coarse, (columns, rows), interpolation=cv2.INTER_LINEAR).astype(np.float32)


def find_text(gray: Gray, long_side: int = LONG_SIDE, gain: float = 1.0) -> list[TextBox]:
    """Return the lines of text on a (H, W) uint8 picture, generously boxed."""
    import cv2

    rows, columns = gray.shape
    scale = min(MAX_UPSCALE, long_side / max(rows, columns))
    way = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
    size = (max(8, round(columns * scale)), max(8, round(rows * scale)))
    sharp = detail(cv2.resize(gray, size, interpolation=way).astype(np.uint8), gain)
    probability = _probability(sharp)
    boxes = []
    for x0, y0, x1, y1, score in _components(probability):
        box = TextBox(
            max(0, int(np.floor(x0 * columns / size[0]))),
            max(0, int(np.floor(y0 * rows / size[1]))),
            min(columns, int(np.ceil(x1 * columns / size[0]))),
            min(rows, int(np.ceil(y1 * rows / size[1]))),
            score,
        )
        if box.height < TALLEST * min(rows, columns) or box.height <= 40:
            boxes.append(box)
    return boxes


def _probability(sharp: Gray) -> Floats:
    rows, columns = sharp.shape
    padded = np.zeros((-(-rows // 32) * 32, -(-columns // 32) * 32), np.float32)
    padded[:rows, :columns] = _normalise(sharp)
    batch = np.ascontiguousarray(np.broadcast_to(padded, (1, 3, *padded.shape)))
    return _run(_session("_det_"), batch)[0, 0, :rows, :columns]


def _components(probability: Floats) -> list[tuple[float, float, float, float, float]]:
    import cv2

    ink = cv2.dilate((probability > INK).astype(np.uint8), np.ones((2, 2), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    boxes = []
    for label in range(1, count):
        x, y, w, h, area = (int(v) for v in stats[label])
        if area < 6 or min(w, h) < 2:
            continue
        window = (slice(y, y + h), slice(x, x + w))
        score = float(probability[window][labels[window] == label].mean())
        if score >= SCORE:
            grow = w * h * UNCLIP / (2 * (w + h))
            boxes.append((x - grow, y - grow, x + w + grow, y + h + grow, score))
    return boxes


@lru_cache(maxsize=1)
def _alphabet() -> list[str]:
    meta = _session("_rec_").get_modelmeta().custom_metadata_map
    characters = meta.get("character", "").splitlines()
    return ["", *characters, " "]


def read_text(gray: Gray, box: TextBox) -> tuple[str, float]:
    """Return the text of one box and the mean confidence 0..1 of its characters."""
    import cv2

    crop = gray[box.y0 : box.y1, box.x0 : box.x1]
    if min(crop.shape) < 2:
        return "", 0.0
    if crop.shape[0] > 2 * crop.shape[1]:
        crop = np.rot90(crop)
    width = int(np.clip(round(48 * crop.shape[1] / crop.shape[0]), 48, 960))
    line = cv2.resize(np.ascontiguousarray(crop), (width, 48), interpolation=cv2.INTER_CUBIC)
    batch = np.zeros((1, 3, 48, max(96, width)), np.float32)
    batch[0, :, :, :width] = _normalise(line.astype(np.uint8))
    steps = _run(_session("_rec_"), batch)[0]
    return _decode(steps)


def _decode(steps: Floats) -> tuple[str, float]:
    """Greedy CTC: repeated symbols collapse, index 0 is the blank."""
    best = steps.argmax(axis=1)
    letters, weights, last = [], [], 0
    alphabet = _alphabet()
    for index, row in zip(best, steps, strict=True):
        if index not in (0, last) and index < len(alphabet):
            letters.append(alphabet[index])
            weights.append(float(row[index]))
        last = index
    return "".join(letters), (sum(weights) / len(weights) if weights else 0.0)
