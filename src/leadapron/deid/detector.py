"""Where text is burned into a picture: PP-OCR's detector and recogniser on ONNX Runtime."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from leadapron.deid.contrast import Floats, Gray, Picture, resized, sharpen
from leadapron.model import Unavailable

LONG_SIDE = 960
MAX_UPSCALE = 2.5
INK, SCORE = 0.2, 0.4
UNCLIP = 1.8
TALLEST = 0.16


class TextBox(NamedTuple):
    """A detected line of text: half-open pixel box and the detector's score 0..1.

    `line` is the height of the lines in it where the box itself is no measure: several lines,
    or a tilted one.
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
        return self.line or max(1, min(self.y1 - self.y0, self.x1 - self.x0))


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


def find_text(picture: Picture, long_side: int = LONG_SIDE, gain: float = 1.0) -> list[TextBox]:
    """Return the lines of text on a picture, generously boxed.

    `gain` lifts faint strokes (`sharpen`); at 0 the picture is looked at as it is.
    """
    rows, columns = picture.shape
    scale = min(MAX_UPSCALE, long_side / max(rows, columns))
    size = (max(8, round(columns * scale)), max(8, round(rows * scale)))
    probability = _probability(sharpen(picture, size, gain) if gain else resized(picture, size))
    boxes = []
    for x0, y0, x1, y1, score, thick in _components(probability):
        box = TextBox(
            max(0, int(np.floor(x0 * columns / size[0]))),
            max(0, int(np.floor(y0 * rows / size[1]))),
            min(columns, int(np.ceil(x1 * columns / size[0]))),
            min(rows, int(np.ceil(y1 * rows / size[1]))),
            score,
        )
        box = box._replace(line=min(box.height, max(1, round(thick * rows / size[1]))))
        if box.height < TALLEST * min(rows, columns) or box.height <= 40:
            boxes.append(box)
    return boxes


def _probability(sharp: Gray) -> Floats:
    rows, columns = sharp.shape[:2]
    batch = np.zeros((1, 3, -(-rows // 32) * 32, -(-columns // 32) * 32), np.float32)
    batch[0, :, :rows, :columns] = _planes(_normalise(sharp))
    return _run(_session("_det_"), batch)[0, 0, :rows, :columns]


def _planes(picture: Floats) -> Floats:
    """Return (3, rows, columns) of a grey or colour picture."""
    return picture.transpose(2, 0, 1) if picture.ndim == 3 else picture[None]


def _components(probability: Floats) -> list[tuple[float, float, float, float, float, float]]:
    """Return (x0, y0, x1, y1, score, thickness) of each text; of a tilted one too."""
    import cv2

    ink = cv2.dilate((probability > INK).astype(np.uint8), np.ones((2, 2), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    boxes = []
    for label in range(1, count):
        x, y, w, h, area = (int(v) for v in stats[label])
        if area < 6 or min(w, h) < 2:
            continue
        window = (slice(y, y + h), slice(x, x + w))
        mine = labels[window] == label
        score = float(probability[window][mine].mean())
        if score >= SCORE:
            points = cv2.findNonZero(mine.view(np.uint8))
            long, short = sorted(side + 1 for side in cv2.minAreaRect(points)[1])[::-1]
            grow = long * short * UNCLIP / (2 * (long + short))
            boxes.append((x - grow, y - grow, x + w + grow, y + h + grow, score, short + 2 * grow))
    return boxes


@lru_cache(maxsize=1)
def _alphabet() -> list[str]:
    meta = _session("_rec_").get_modelmeta().custom_metadata_map
    characters = meta.get("character", "").splitlines()
    return ["", *characters, " "]


def read_text(picture: Picture, box: TextBox) -> tuple[str, float]:
    """Return the text of one box and the mean confidence 0..1 of its characters."""
    import cv2

    crop = picture.gray[box.y0 : box.y1, box.x0 : box.x1]
    if min(crop.shape[:2]) < 2:
        return "", 0.0
    if crop.shape[0] > 2 * crop.shape[1]:
        crop = np.rot90(crop)
    width = int(np.clip(round(48 * crop.shape[1] / crop.shape[0]), 48, 960))
    line = cv2.resize(np.ascontiguousarray(crop), (width, 48), interpolation=cv2.INTER_CUBIC)
    batch = np.zeros((1, 3, 48, max(96, width)), np.float32)
    batch[0, :, :, :width] = _planes(_normalise(line.astype(np.uint8)))
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
