"""Coordinates: from a pixel of the working copy to a place on the film, and back."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float64]

LATTICE = 48


def scaling(factor_x: float, factor_y: float) -> Matrix:
    """Return the matrix that resizes pixel coordinates, pixel centres kept at halves."""
    return np.array(
        [[factor_x, 0, (factor_x - 1) / 2], [0, factor_y, (factor_y - 1) / 2], [0, 0, 1.0]]
    )


def shifting(x: float, y: float) -> Matrix:
    """Return the matrix that adds (x, y)."""
    return np.array([[1.0, 0, x], [0, 1.0, y], [0, 0, 1.0]])


@dataclass(frozen=True, eq=False)
class Geometry:
    """Where a copy lies on the film.

    Attributes:
        to_film: 3×3, copy pixels to film pixels.
        shape: (rows, columns) of the copy.
        bend: displacement in copy pixels that is added before `to_film`, on a lattice of
            equal cells over the copy, float32 (rows, columns, 2); None is no displacement.
    """

    to_film: Matrix
    shape: tuple[int, int]
    bend: Float | None = None

    def film_maps(self, film_scale: tuple[float, float]) -> tuple[Float, Float]:
        """Return x and y on a film resized by `film_scale`, float32 (rows, columns) each."""
        matrix = scaling(*film_scale) @ self.to_film
        x = np.arange(self.shape[1], dtype=np.float32)[None, :]
        y = np.arange(self.shape[0], dtype=np.float32)[:, None]
        if self.bend is not None:
            shift = self.displacement()
            x, y = x + shift[..., 0], y + shift[..., 1]
        m = matrix.astype(np.float32)
        across, down = m[0, 0] * x + m[0, 1] * y + m[0, 2], m[1, 0] * x + m[1, 1] * y + m[1, 2]
        if abs(m[2, 0]) + abs(m[2, 1]) > 0:
            depth = m[2, 0] * x + m[2, 1] * y + m[2, 2]
            across, down = across / depth, down / depth
        elif m[2, 2] != 1:
            across, down = across / m[2, 2], down / m[2, 2]
        full = self.shape
        return (
            np.ascontiguousarray(np.broadcast_to(across, full), np.float32),
            np.ascontiguousarray(np.broadcast_to(down, full), np.float32),
        )

    def displacement(self) -> Float:
        """Return the displacement of every pixel, float32 (rows, columns, 2)."""
        import cv2

        if self.bend is None:
            return np.zeros((*self.shape, 2), np.float32)
        size = (self.shape[1], self.shape[0])
        return np.asarray(cv2.resize(self.bend, size, interpolation=cv2.INTER_CUBIC), np.float32)

    def copy_maps(self, grid: tuple[int, int], film_shape: tuple[int, int]) -> tuple[Float, Float]:
        """Return, for every cell of the mark grid, x and y on the copy.

        The displacement is inverted by three fixed-point steps: it is smooth and small.
        """
        import cv2

        back = np.linalg.inv(
            scaling(grid[1] / film_shape[1], grid[0] / film_shape[0]) @ self.to_film
        )
        plain = Geometry(back / back[2, 2], grid)
        x, y = plain.film_maps((1, 1))
        if self.bend is None:
            return x, y
        shift = self.displacement()
        at_x, at_y = x, y
        for _ in range(3):
            moved = cv2.remap(shift, at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            at_x, at_y = x - moved[..., 0], y - moved[..., 1]
        return at_x, at_y

    def resized(self, shape: tuple[int, int]) -> Geometry:
        """Return the geometry of the copy resized to `shape`."""
        across, down = shape[1] / self.shape[1], shape[0] / self.shape[0]
        bend = None if self.bend is None else self.bend * np.array([across, down], np.float32)
        return Geometry(self.to_film @ np.linalg.inv(scaling(across, down)), shape, bend)

    def cropped(self, top: int, left: int, shape: tuple[int, int]) -> Geometry:
        """Return the geometry of a window of the copy; only before bending."""
        return replace(self, to_film=self.to_film @ shifting(left, top), shape=shape)

    def film_pixels_per_pixel(self) -> float:
        """Return the linear scale at the copy's centre."""
        middle = np.array([(self.shape[1] - 1) / 2, (self.shape[0] - 1) / 2])
        steps = np.array([[0, 0], [1, 0], [0, 1.0]]) + middle
        at = np.concatenate([steps, np.ones((3, 1))], axis=1) @ self.to_film.T
        flat = at[:, :2] / at[:, 2:]
        across, down = flat[1] - flat[0], flat[2] - flat[0]
        return float(np.sqrt(abs(across[0] * down[1] - across[1] * down[0])))
