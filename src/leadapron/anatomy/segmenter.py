"""A frontal chest film in, a RegionMap out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from leadapron.anatomy import shape
from leadapron.anatomy.gate import Gate, Pose
from leadapron.anatomy.labels import INDEX
from leadapron.anatomy.preprocessing import Float, contrast_bytes, normalise
from leadapron.anatomy.probability import ProbabilityMaps
from leadapron.anatomy.weights_file import DIRECTORY, Network
from leadapron.anatomy.window import Look, Read, composed, look, nearer
from leadapron.model import BadInput, Region, RegionMap

_SMALLEST = 64
_LUNGS = (Region.RIGHT_LUNG, Region.LEFT_LUNG)
Byte = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Segmenter:
    """Finds the regions of a frontal chest film; load once, share between threads."""

    network: Network
    gate: Gate

    @classmethod
    def load(cls, threads: int = 1, weights: Path = DIRECTORY) -> Segmenter:
        """Open the weights in the package, or in another folder.

        Unavailable if they are missing, IntegrityFailure if they are not as released.
        """
        cv2.setNumThreads(threads)
        return cls(
            Network.open("anatomy", threads, weights),
            Gate(Network.open("gate", threads, weights)),
        )

    def segment(
        self, pixels: npt.NDArray[np.generic], photometric: str = "MONOCHROME2"
    ) -> RegionMap:
        """Segment one frame of stored pixel values.

        pixels: (H, W), any integer or float dtype, any size from 64 x 64. A picture with
            colour samples (H, W, 3) is no film: its map has ``in_domain`` False.
        photometric: as tagged. It is recorded, not trusted: polarity is read from the
            picture, so that a falsely tagged film gets the same masks.

        Returns masks at (H, W). ``extras`` holds ``probability`` (ProbabilityMaps),
        ``pose`` (Pose), ``domain`` (float) and ``calibration`` for ``cover``.
        Raises BadInput if ``pixels`` is no picture at all.
        """
        grey = photometric.strip().upper().startswith("MONOCHROME")
        if not grey or (pixels.ndim == 3 and pixels.shape[2] in (3, 4)):
            return self._refuse(pixels.shape[:2], "colour")
        frame = _plane(pixels)
        first = look(frame, int(self.network.card["size"]))
        if min(frame.shape) < _SMALLEST:
            return self._refuse(frame.shape, "too-small")
        values = first.square[first.box.inside]
        if not np.ptp(values) > 1e-5 * np.abs(values).max():
            return self._refuse(frame.shape, "blank")
        verdict = self.gate.judge(first.square, first.box.inside)
        if verdict.domain < self.network.card["domain_threshold"]:
            return self._refuse(frame.shape, "not-a-chest-film", domain=verdict.domain)
        turned = replace(verdict.pose, mirrored=False)
        levels = self._infer(first.square, first.box.inside, turned)
        doubt = _implausible(levels, first.box.inside, self._threshold)
        if doubt:
            return self._refuse(frame.shape, *doubt, domain=verdict.domain)
        flipped = _heart_on_the_right(levels)
        pose = replace(turned, mirrored=flipped and turned.turns > 0)
        if pose.mirrored:
            levels = self._infer(first.square, first.box.inside, pose)
        levels = _stored(levels, pose)
        maps = composed(frame.shape, [(first, levels), *self._nearer(frame, first, levels, pose)])
        masks, scores = self._masks(maps)
        reasons = list(pose.reasons)
        if flipped and verdict.pose.mirrored and not pose.mirrored:
            reasons.append("laterality-in-doubt")
        if pose.inverted != (photometric.strip().upper() == "MONOCHROME1"):
            reasons.append("photometric-contradicts-picture")
        extras: dict[str, Any] = {
            "probability": maps,
            "pose": pose,
            "domain": verdict.domain,
            "calibration": self.network.card["calibration"],
        }
        return RegionMap(
            frame.shape,
            masks,
            scores,
            reasons=tuple(reasons),
            model_version=self.network.version,
            extras=extras,
        )

    def _nearer(
        self, frame: npt.NDArray[np.generic], first: Look, levels: Byte, pose: Pose
    ) -> list[Read]:
        """Look again where the chest is small in its frame."""
        lungs = (levels[INDEX[region]] >= self._threshold(region) for region in _LUNGS)
        near = nearer(frame, first, np.logical_or(*lungs))
        if near is None:
            return []
        upright = self._infer(near.square, near.box.inside, pose)
        if _implausible(upright, near.box.inside, self._threshold):
            return []
        return [(near, _stored(upright, pose))]

    def _refuse(self, shape_: tuple[int, ...], *reasons: str, **extras: object) -> RegionMap:
        rows, cols = shape_[:2]
        everything = np.ones((rows, cols), dtype=np.bool_)
        return RegionMap(
            (rows, cols),
            {Region.OUTSIDE: everything},
            {},
            in_domain=False,
            reasons=reasons,
            model_version=self.network.version,
            extras=extras,
        )

    def _threshold(self, region: Region) -> int:
        """The cut of a region's map, as probability times 255."""
        return round(255 * float(self.network.card["thresholds"][region]))

    def _infer(self, square: Float, inside: Mask, pose: Pose) -> Byte:
        """Return cleaned levels and contrast (channels + 1, S, S) of the film made upright."""
        upright = np.asarray(pose.undo(square), dtype=np.float32)
        mask = np.asarray(pose.undo(inside), dtype=np.bool_)
        inputs = normalise(-upright if pose.inverted else upright, mask)
        levels = shape.levels(self.network.run(inputs[None])[0])
        levels[:, ~mask] = 0
        for region in self._found:
            at = INDEX[region]
            levels[at] = shape.clean(region, levels[at], self._threshold(region))
        return np.concatenate([levels, contrast_bytes(inputs)[None]])

    @property
    def _found(self) -> list[Region]:
        return [Region(name) for name in self.network.card["thresholds"]]

    def _masks(self, maps: ProbabilityMaps) -> tuple[dict[Region, Mask], dict[Region, float]]:
        masks: dict[Region, Mask] = {}
        scores: dict[Region, float] = {}
        for region in self._found:
            cut = self._threshold(region)
            small = maps.small(region)
            sure = small[small >= cut]
            if sure.size == 0:
                continue
            masks[region] = maps.bytes_of(region, shape.outlined(region, small)) >= cut
            scores[region] = float(sure.mean() / 255)
        body = masks.get(Region.THORAX)
        if body is not None:
            masks[Region.OUTSIDE], scores[Region.OUTSIDE] = ~body, scores[Region.THORAX]
        return masks, scores


def _stored(levels: Byte, pose: Pose) -> Byte:
    return np.asarray(pose.apply(levels), dtype=np.uint8)


def _plane(pixels: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    frame = pixels[..., 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels
    real = np.issubdtype(frame.dtype, np.integer) or np.issubdtype(frame.dtype, np.floating)
    if frame.ndim != 2 or frame.size == 0 or not real:
        raise BadInput(
            f"no frame of a film: {pixels.dtype} {pixels.shape}",
            remedy="give one frame of stored pixel values, (rows, columns)",
        )
    return frame


def _heart_on_the_right(levels: Byte) -> bool:
    """Whether the heart lies left of the lungs' middle in an upright picture.

    On a film that was turned this means that it was flipped too. On an upright one it
    may as well be disease or dextrocardia, so that sides are doubted but not exchanged.
    """
    heart, right, left = (
        np.nonzero(levels[INDEX[region]] > 127)[1] for region in (Region.HEART, *_LUNGS)
    )
    if not (heart.size and right.size and left.size):
        return False
    return bool(heart.mean() < (right.mean() + left.mean()) / 2)


def _implausible(levels: Byte, inside: Mask, threshold: Any) -> tuple[str, ...]:
    """Refuse a film on which no two lungs were found side by side."""
    area = max(1, int(inside.sum()))
    columns = []
    for region in _LUNGS:
        mask = levels[INDEX[region]] >= threshold(region)
        if not 0.015 < mask.sum() / area < 0.5:
            return ("lungs-not-found",)
        columns.append(np.nonzero(mask)[1].mean())
    return () if columns[0] < columns[1] else ("lungs-not-found",)
