"""Thresholds and cover margins, from films held out of the training."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from leadapron.anatomy import shape
from leadapron.anatomy.cover import slack
from leadapron.anatomy.labels import INDEX
from leadapron.anatomy.training import augment
from leadapron.anatomy.training.films import Film
from leadapron.model import Region

RATES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05)
CONFIDENCE = 0.95
SECTORS = 12
_WEAK = (Region.RIBS, Region.THORAX)
Infer = Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]
Mask = npt.NDArray[np.bool_]


def thresholds(
    films: Iterable[Film], size: int, infer: Infer, regions: Iterable[Region]
) -> dict[Region, float]:
    """Return the cut with the best Dice over all labelled pixels, by region."""
    cuts = np.linspace(0.4, 0.6, 11)
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
    learned: Iterable[Film],
    held: Iterable[Film],
    size: int,
    infer: Infer,
    cuts: dict[Region, float],
) -> dict[str, Any]:
    """Return ``profile``, ``cover`` and ``core`` by region, in network pixels.

    The profile, how the outline errs by direction, comes from films the network learned
    on; the factors on it are the 95th percentile over held-out ones. Only films whose
    labels cover the region everywhere take part, and no weakly labelled region.
    """
    before, after = _examine(learned, size, infer), _examine(held, size, infer)
    tables: dict[str, Any] = {"profile": {}, "cover": {}, "core": {}}
    for region, cut in ((r, c) for r, c in cuts.items() if r not in _WEAK):
        profile = _profile(list(_compare(before, region, cut)))
        rows: dict[str, list[list[float]]] = {"cover": [], "core": []}
        for mask, truth in _compare(after, region, cut):
            weight = slack(mask, profile)
            rows["cover"].append(_quantiles((signed_distance(mask) / weight)[truth]))
            rows["core"].append(_quantiles(np.where(truth, 0, depth(mask) / weight)[mask]))
        if rows["cover"]:
            tables["profile"][str(region)] = profile
            tables["cover"][str(region)] = _table(rows["cover"])
            tables["core"][str(region)] = _table(rows["core"])
    return tables


@dataclass
class _Examined:
    """What the network found on one film (uint8 levels), and what is drawn on it."""

    source: str
    levels: npt.NDArray[np.uint8]
    target: npt.NDArray[np.uint8]
    drawn: tuple[bool, ...]
    inside: Mask


def _examine(films: Iterable[Film], size: int, infer: Infer) -> list[_Examined]:
    results = []
    for film in films:
        inside, sample = film_inside(film, size), augment.plain(film, size)
        levels = np.rint(infer(sample.inputs) * 255).astype(np.uint8)
        drawn = tuple(bool(plane[inside].all()) for plane in sample.known)
        results.append(_Examined(film.source, levels, sample.target, drawn, inside))
    return results


def _compare(
    examined: Iterable[_Examined], region: Region, cut: float
) -> Iterator[tuple[Mask, Mask]]:
    """Yield (mask found, mask drawn) of films that have the region drawn in full.

    One source only, by one definition of the region: the first that has it.
    """
    at, level = INDEX[region], round(cut * 255)
    usable = [film for film in examined if film.drawn[at] and film.target[at].any()]
    for film in usable:
        truth = film.target[at] > 0
        if film.source == usable[0].source:
            tidy = shape.clean(region, film.levels[at], level)
            yield (tidy >= level) & film.inside, truth


def _profile(pairs: list[tuple[Mask, Mask]]) -> list[float]:
    """Return the root mean square error of the outline by direction, at least a pixel."""
    errors = np.zeros((len(pairs), SECTORS))
    for row, (mask, truth) in enumerate(pairs):
        if not mask.any():
            continue
        middle = np.argwhere(mask).mean(axis=0)
        points = np.argwhere(truth)
        turn = np.arctan2(*(points - middle).T) / (2 * np.pi) * SECTORS
        sector = np.round(turn).astype(int) % SECTORS
        away = signed_distance(mask)[truth]
        for number in range(SECTORS):
            here = away[sector == number]
            errors[row, number] = max(0.0, float(np.quantile(here, 0.98))) if here.size else 0.0
    spread = np.sqrt((errors**2).mean(axis=0)) if len(pairs) else np.ones(SECTORS)
    smooth = (np.roll(spread, 1) + 2 * spread + np.roll(spread, -1)) / 4
    return [round(float(value), 2) for value in np.maximum(smooth, 1.0)]


def depth(mask: Mask) -> npt.NDArray[np.float32]:
    """Return how deep each pixel lies in the mask, in pixels; 0 outside."""
    return np.asarray(cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5))


def _quantiles(distances: npt.NDArray[np.floating]) -> list[float]:
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
    return float(np.quantile(list(values), CONFIDENCE))
