"""Thresholds and cover margins, from films held out of the training."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable

import cv2
import numpy as np
import numpy.typing as npt

from leadapron.anatomy import shape
from leadapron.anatomy.labels import INDEX
from leadapron.anatomy.training import augment
from leadapron.anatomy.training.films import Film
from leadapron.model import Region

RATES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05)
CONFIDENCE = 0.95
Infer = Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]
Mask = npt.NDArray[np.bool_]


def thresholds(
    films: Iterable[Film], size: int, infer: Infer, regions: Iterable[Region]
) -> dict[Region, float]:
    """Return the cut with the best Dice over all labelled pixels, by region."""
    cuts = np.linspace(0.3, 0.7, 21)
    scores: dict[Region, list[list[float]]] = defaultdict(list)
    wanted = list(regions)
    for film in films:
        sample = augment.plain(film, size)
        chance = infer(sample.inputs)
        for region in wanted:
            known = sample.known[INDEX[region]] > 0
            truth = sample.target[INDEX[region]][known] > 0
            if truth.any():
                values = chance[INDEX[region]][known]
                scores[region].append([dice(values >= cut, truth) for cut in cuts])
    best = {r: float(cuts[int(np.mean(rows, axis=0).argmax())]) for r, rows in scores.items()}
    return {region: round(best.get(region, 0.5), 3) for region in wanted}


def dice(first: Mask, second: Mask) -> float:
    """Return the Dice overlap; 1.0 for two empty masks."""
    both = float(first.sum() + second.sum())
    return 2 * float((first & second).sum()) / both if both else 1.0


def margins(
    films: Iterable[Film], size: int, infer: Infer, cuts: dict[Region, float]
) -> dict[str, dict[str, dict[str, float]]]:
    """Return margins in network pixels: ``cover`` or ``core``, region, rate (split conformal).

    Only films whose labels cover the region everywhere take part.
    """
    needed: dict[str, dict[Region, list[list[float]]]] = {"cover": {}, "core": {}}
    for film in films:
        sample = augment.plain(film, size)
        levels = np.rint(infer(sample.inputs) * 255).astype(np.uint8)
        inside = film_inside(film, size)
        for region, cut in cuts.items():
            at, level = INDEX[region], round(cut * 255)
            truth = sample.target[at] > 0
            if not (sample.known[at][inside] > 0).all() or not truth.any():
                continue
            mask = (shape.clean(region, levels[at], level) >= level) & inside
            missed, wrong = signed_distance(mask)[truth], signed_distance(truth)[mask]
            needed["cover"].setdefault(region, []).append(_quantiles(missed))
            needed["core"].setdefault(region, []).append(_quantiles(wrong))
    return {
        kind: {str(region): _table(rows) for region, rows in regions.items()}
        for kind, regions in needed.items()
    }


def _quantiles(distances: npt.NDArray[np.float32]) -> list[float]:
    if not distances.size:
        return [0.0] * len(RATES)
    return [float(np.quantile(distances, 1 - rate)) for rate in RATES]


def _table(rows: list[list[float]]) -> dict[str, float]:
    columns = zip(*rows, strict=True)
    return {
        str(rate): round(max(0.0, _upper(column)), 2)
        for rate, column in zip(RATES, columns, strict=True)
    }


def film_inside(film: Film, size: int) -> Mask:
    """Return where the film lies in a square of ``size``."""
    small = cv2.resize(film.inside.astype(np.uint8), (size, size), interpolation=cv2.INTER_NEAREST)
    return np.asarray(small > 0)


def signed_distance(mask: Mask) -> npt.NDArray[np.float32]:
    """Return the distance to the mask's edge in pixels: 0 or less inside."""
    outside = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
    within = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
    return np.where(mask, 1 - within, outside).astype(np.float32)


def _upper(values: Iterable[float]) -> float:
    ordered = sorted(values)
    rank = math.ceil((len(ordered) + 1) * CONFIDENCE)
    return ordered[min(rank, len(ordered)) - 1]
