"""Thresholds and the limits of doubt, from films that the predicting network had not seen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from scipy.stats import binom

from leadapron.anatomy import shape
from leadapron.anatomy.cover import directions, doubt, spread
from leadapron.anatomy.labels import INDEX
from leadapron.anatomy.training import augment
from leadapron.anatomy.training.films import Film
from leadapron.model import Region

RATES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05)
CONFIDENCE, SURE = 0.95, 0.9
DIRECTIONS, _FEW = 16, 5
_WEAK = (Region.RIBS, Region.THORAX, Region.RIGHT_CLAVICLE, Region.LEFT_CLAVICLE, Region.SPINE)
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
        chance = shape.levels(infer(sample.inputs)) / np.float32(255)
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


def limits(judges: Sequence[list[Examined]], cuts: dict[Region, float]) -> dict[str, Any]:
    """Return the limits of ``doubt`` for ``cover`` and ``core``, by region and rate.

    Those for ``cover`` are shares of the ``profile``, which comes from the first judge.

    Each judge is a set of films with what a network found on them that was not trained on
    them. A limit holds on 95 of 100 films with a confidence of 0.9, over the films of all
    judges. Only films whose labels cover the region everywhere take part, and no weakly
    labelled region.
    """
    tables: dict[str, Any] = {"cover": {}, "core": {}, "profile": {}}
    for region, cut in cuts.items():
        if region in _WEAK:
            continue
        usual = _profile(judges[0], region, cut)
        cover: list[list[float]] = []
        core: list[list[float]] = []
        for levels, mask, truth in chain(*(_compare(films, region, cut) for films in judges)):
            relative = doubt(levels, mask) / spread(usual, mask)
            cover.append(_quantiles(relative[truth]))
            strict = doubt(255 - levels, ~mask)
            core.append(_quantiles(np.where(truth, -np.inf, strict)[mask]))
        if cover:
            tables["profile"][str(region)] = usual
            tables["cover"][str(region)] = _table(cover)
            tables["core"][str(region)] = _table(core)
    return tables


def _profile(films: list[Examined], region: Region, cut: float) -> list[float]:
    """Return the doubt that true pixels reach on nine films of ten, by direction, smoothed."""
    by_direction: list[list[float]] = [[] for _ in range(DIRECTIONS)]
    for levels, mask, truth in _compare(films, region, cut):
        where, doubts = directions(mask, DIRECTIONS), doubt(levels, mask)
        for number, reached in enumerate(by_direction):
            there = doubts[truth & (where == number)]
            if there.size > _FEW:
                reached.append(float(np.quantile(there, 0.99, method="higher")))
    most = np.array([np.quantile(reached, 0.9) if reached else 0.0 for reached in by_direction])
    smooth = 0.25 * np.roll(most, 1) + 0.5 * most + 0.25 * np.roll(most, -1)
    return [round(max(1.0, float(value)), 2) for value in smooth]


@dataclass
class Examined:
    """What the network found on one film (uint8 levels), and what is drawn on it."""

    source: str
    levels: npt.NDArray[np.uint8]
    target: npt.NDArray[np.uint8]
    drawn: tuple[bool, ...]
    inside: Mask


def examine(films: Iterable[Film], size: int, infer: Infer) -> Iterator[Examined]:
    """Yield what the network finds on each film, as the Segmenter would have it."""
    for film in films:
        inside, sample = film_inside(film, size), augment.plain(film, size)
        levels = shape.levels(infer(sample.inputs))
        drawn = tuple(bool(plane[inside].all()) for plane in sample.known)
        yield Examined(film.source, levels, sample.target, drawn, inside)


def _compare(
    examined: Iterable[Examined], region: Region, cut: float
) -> Iterator[tuple[npt.NDArray[np.uint8], Mask, Mask]]:
    """Yield (levels, mask found, mask drawn) of films that have the region drawn in full.

    One source only, by one definition of the region: the first that has it.
    """
    at, level = INDEX[region], round(cut * 255)
    usable = [film for film in examined if film.drawn[at] and film.target[at].any()]
    for film in usable:
        if film.source == usable[0].source:
            tidy = shape.clean(region, film.levels[at], level)
            yield tidy, (tidy >= level) & film.inside, film.target[at] > 0


def _quantiles(doubts: npt.NDArray[np.floating]) -> list[float]:
    if not doubts.size:
        return [0.0] * len(RATES)
    return [float(np.quantile(doubts, 1 - rate, method="higher")) for rate in RATES]


def _table(rows: list[list[float]]) -> dict[str, float]:
    columns = zip(*rows, strict=True)
    return {
        str(rate): round(max(0.0, _upper(column)), 3)
        for rate, column in zip(RATES, columns, strict=True)
    }


def film_inside(film: Film, size: int) -> Mask:
    """Return where the film lies in a square of ``size``."""
    small = cv2.resize(film.inside.astype(np.uint8), (size, size), interpolation=cv2.INTER_NEAREST)
    return np.asarray(small > 0)


def _upper(values: Iterable[float]) -> float:
    """Return the tolerance limit: SURE that CONFIDENCE of all films stay below it (Wilks 1941)."""
    ordered = sorted(values)
    rank = int(binom.ppf(SURE, len(ordered), CONFIDENCE)) + 1
    return ordered[min(rank, len(ordered)) - 1]
