"""The network's soft output, kept small and resampled only where it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import cv2
import numpy as np
import numpy.typing as npt

from leadapron.anatomy.labels import INDEX
from leadapron.anatomy.preprocessing import Letterbox
from leadapron.model import Region

Byte = npt.NDArray[np.uint8]


class ProbabilityMaps(Mapping[str, npt.NDArray[np.float32]]):
    """Probability 0..1 by region, float32 at the frame's native size, made on access.

    Steps of 1/255 are kept; every access resamples anew, so hold on to what you read.
    """

    def __init__(self, levels: Byte, box: Letterbox, share: float = 1.0) -> None:
        """Keep ``levels``, uint8 (channels, size, size), probability times 255.

        One plane more, behind the channels, is the film's local contrast; 128 is none.
        share: of the square's side that the network's (nearest) look filled.
        """
        self._levels = levels
        self._box = box
        self.share = share

    def __getitem__(self, region: str) -> npt.NDArray[np.float32]:
        """Return (H, W) float32; KeyError for a region the network does not know."""
        return self.bytes_of(region).astype(np.float32) / np.float32(255)

    def __iter__(self) -> Iterator[str]:
        return iter(str(region) for region in INDEX)

    def __len__(self) -> int:
        return len(INDEX)

    def bytes_of(self, region: str, levels: Byte | None = None) -> Byte:
        """Return probability times 255, uint8 (H, W); ``levels`` replaces the region's map."""
        small = self._levels[INDEX[Region(region)]] if levels is None else levels
        rows, cols = self._box.shape
        cut = np.ascontiguousarray(small[self._box.rows, self._box.cols])
        return np.asarray(cv2.resize(cut, (cols, rows), interpolation=cv2.INTER_LINEAR))

    def shrunk(self, mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Bring a native mask (H, W) into the network's square."""
        rows, cols = self._box.inner
        inner = cv2.resize(mask.astype(np.uint8), (cols, rows), interpolation=cv2.INTER_NEAREST)
        square = np.zeros((self._box.size, self._box.size), dtype=np.bool_)
        square[self._box.rows, self._box.cols] = inner > 0
        return square

    def grown(self, square: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Bring a map of the network's square to native size (H, W)."""
        rows, cols = self._box.shape
        cut = np.ascontiguousarray(square[self._box.rows, self._box.cols])
        return np.asarray(cv2.resize(cut, (cols, rows), interpolation=cv2.INTER_LINEAR))

    def small(self, region: str) -> Byte:
        """Return probability times 255 in the square, the network's own unless it looked nearer."""
        return np.asarray(self._levels[INDEX[Region(region)]])

    @property
    def contrast(self) -> Byte:
        """The film's contrast with its neighbourhood in the square; 128 where it is not known."""
        if len(self._levels) > len(INDEX):
            return np.asarray(self._levels[len(INDEX)])
        return np.full_like(self._levels[0], 128)

    def to_frame(self, points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Bring points (N, 2) of (column, row) of the square to the frame, pixel centres."""
        corner = np.array([self._box.cols.start, self._box.rows.start])
        return np.asarray((points - corner + 0.5) * self.scale - 0.5)

    @property
    def side(self) -> int:
        """Side of the network's square, in pixels."""
        return self._box.size

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns) of the frame."""
        return self._box.shape

    @property
    def scale(self) -> float:
        """Native pixels per pixel of the network's square."""
        return max(self._box.shape) / self._box.size
