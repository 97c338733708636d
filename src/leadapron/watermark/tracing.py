"""From a leaked copy to the view it came from, the film being known."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from leadapron.model import BadInput
from leadapron.watermark.chips import Band, band, nudges
from leadapron.watermark.embedding import NUDGED_BITS, NUDGED_SHARE
from leadapron.watermark.geometry import Geometry, scaling, shifting
from leadapron.watermark.masking import perceptual_mask
from leadapron.watermark.modelling import Film, Prediction, inside, predict
from leadapron.watermark.overlay import grey
from leadapron.watermark.quantisation import Quantised, detect, score, unrounded
from leadapron.watermark.ranking import FALSE_NAMING, Candidate, Ranking, bound
from leadapron.watermark.refining import SNAP_REACH, misfit, settle
from leadapron.watermark.registration import Features, Registration, align, features, uncut
from leadapron.watermark.scoring import Meter, residual, z_scores

Float = npt.NDArray[np.float32]
Picture = npt.NDArray[Any]

_WORKING = 1024
_DENSITY = 2048
_COARSE = 500
_FEW_INLIERS = 60
_LARGE = 1_500_000
_FINE = 60
_MOSTLY, _NEARLY_ALL = 0.25, 0.97
_LOCAL = (0.12, 0.03)
_DECOYS = 200
_DECOY_SD = (0.75, 1.3)
METHOD = "leadapron-watermark-1"


def trace(
    original: Picture,
    leaked: Picture,
    key: bytes,
    view_ids: Iterable[str],
    *,
    image_digest: str = "",
    films_tried: int = 1,
) -> Ranking:
    """Rank the views of a film by the evidence that a leaked copy came from them.

    Args:
        original: the unmarked native frame, (H, W).
        leaked: the copy, grey (h, w) or RGB (h, w, 3), uint8 or uint16, of any size.
        key: the watermark secret.
        view_ids: candidate views; repeated ids count once.
        image_digest: as given to `embed`.
        films_tried: how many films this copy was traced against; multiplies N.

    Returns:
        The ranking. Verdict ``accuse`` only if N·exp(−z²/2) ≤ 1e-6 with N = candidates ×
        hypotheses × films tried, and if the decoys behaved. The same arguments give the
        same ranking.

    Raises:
        BadInput: the pictures or the key cannot be used.
    """
    views = list(dict.fromkeys(view_ids))
    _check(original, leaked, key)
    copy = grey(leaked)
    known = _known(original, key)
    placed = register(known, copy)
    if placed is None or not views:
        return _unplaced(views, placed)
    measured, names = _measurements(known, copy, placed)
    tried = len(views) * measured.shape[1] * max(1, films_tried)
    every = z_scores(key, views, measured, image_digest)
    scores = every.max(axis=1)
    decoys = _decoys(key, measured, image_digest)
    calibrated = _DECOY_SD[0] <= decoys["sd"] <= _DECOY_SD[1]
    candidates = _ranked(views, scores, tried, calibrated)
    best = candidates[0]
    return Ranking(
        best=best.view_id,
        p_value=best.p,
        z=best.z,
        candidates=candidates,
        registration=placed.registration,
        verdict="accuse" if best.accused else "inconclusive",
        hypotheses=measured.shape[1] * max(1, films_tried),
        decoys=decoys,
        settings={
            **_settings(placed, known),
            "hypotheses": names,
            "zs": every[int(np.argmax(scores))].round(1).tolist(),
        },
    )


@dataclass(frozen=True, eq=False)
class KnownFilm:
    """What is computed once for a film."""

    frame: Picture
    features: Features
    film: Film
    fine: Film
    band: Band
    mask: Float

    @cached_property
    def large_features(self) -> Features:
        """What noise and blur leave of the film's features."""
        return features(self.frame, _COARSE)


@dataclass(frozen=True, eq=False)
class Placed:
    """A copy laid on the film: its working picture, its geometry, what the film predicts."""

    copy: Float
    geometry: Geometry
    prediction: Prediction
    registration: Registration

    def at(self, top: int, left: int, shape: tuple[int, int]) -> Geometry:
        """Return the geometry of a window of the copy at its own resolution."""
        whole = np.linalg.inv(self.registration.homography)
        plain = Geometry(np.asarray(whole, np.float64), shape).cropped(top, left, shape)
        if self.registration.flow is None or self.registration.window is None:
            return plain
        first, start, bottom, right = self.registration.window
        full = self.geometry.resized((bottom - first, right - start)).displacement()
        below, beside = top - first, left - start
        cut = full[below : below + shape[0], beside : beside + shape[1]]
        return replace(plain, bend=np.ascontiguousarray(cut))


class _Held:
    """A frame as a hashable argument: equal if its content is."""

    def __init__(self, frame: Picture) -> None:
        self.frame = np.ascontiguousarray(frame)
        self.name = (
            hashlib.sha256(self.frame.data).digest(),
            self.frame.shape,
            self.frame.dtype.str,
        )

    def __hash__(self) -> int:
        return hash(self.name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Held) and self.name == other.name


@lru_cache(maxsize=4)
def _known_of(held: _Held, key: bytes) -> KnownFilm:
    frame = held.frame
    usual = frame.astype(np.float32)
    if int(frame.max()) < 2**NUDGED_BITS:
        # Half of all views have the nudged pixels changed: that is what a copy looks like.
        usual += 0.5 * nudges(key, (frame.shape[0], frame.shape[1]), NUDGED_SHARE)
    plan = band((frame.shape[0], frame.shape[1]))
    return KnownFilm(
        frame,
        features(frame),
        Film.prepare(usual, _WORKING),
        Film.prepare(usual, _DENSITY),
        plan,
        perceptual_mask(frame, plan.grid),
    )


def _known(frame: Picture, key: bytes) -> KnownFilm:
    return _known_of(_Held(frame), key)


def register(known: KnownFilm, copy: Float) -> Placed | None:
    """Lay a grey copy over a film, or return None."""
    starts = [align(known.features, features(copy))]
    if starts[0] is None or starts[0].inliers < _FEW_INLIERS:
        # Noise and blur hide the small features; the large ones are still there.
        starts.append(align(known.large_features, features(copy, _COARSE)))
        starts.append(uncut(known.frame, copy))
    placed = [_laid(known, copy, start) for start in _distinct(starts, known.frame.shape)]
    found = [one for one in placed if one is not None]
    return max(found, key=_explained, default=None)


def _distinct(starts: Sequence[Registration | None], film: Sequence[int]) -> list[Registration]:
    """Return the starts that lay the film at different places, most inliers first."""
    rows, columns = film
    corners = np.array([[0, 0, 1], [columns, 0, 1], [0, rows, 1], [columns, rows, 1.0]])
    kept: list[tuple[Registration, npt.NDArray[np.float64]]] = []
    for start in sorted((s for s in starts if s is not None), key=lambda s: -s.inliers):
        laid = corners @ start.homography.T
        place = laid[:, :2] / laid[:, 2:]
        reach = SNAP_REACH * float(np.ptp(place, axis=0).max())
        if all(np.max(np.abs(place - other)) > reach for _, other in kept):
            kept.append((start, place))
    return [start for start, _ in kept]


def _explained(placed: Placed) -> float:
    """Return how much of the film the copy shows, times how well the film explains it."""
    found = placed.registration
    return found.coverage * placed.prediction.followed * (1 - found.residual)


def _laid(known: KnownFilm, copy: Float, found: Registration) -> Placed | None:
    """Return the copy laid on the film near where its features say."""
    geometry = Geometry(
        np.asarray(np.linalg.inv(found.homography), np.float64), (copy.shape[0], copy.shape[1])
    )
    window = _window(geometry, known.frame.shape)
    if window is None:
        return None
    top, left, bottom, right = window
    cut = np.ascontiguousarray(copy[top:bottom, left:right])
    geometry = geometry.cropped(top, left, (cut.shape[0], cut.shape[1]))
    working, reduced = _reduced(cut, geometry, max(known.frame.shape))
    final, prediction = settle(known.film, working, reduced, working.shape == cut.shape)
    shown = _coverage(final, known)
    contrast = float(np.std(working[prediction.weight > 0])) + 1e-6
    in_window = final.resized((cut.shape[0], cut.shape[1]))
    back = np.linalg.inv(in_window.to_film @ shifting(-left, -top))
    registration = replace(
        found,
        homography=np.asarray(back / back[2, 2], np.float64),
        flow=in_window.bend,
        window=window,
        coverage=shown,
        residual=misfit(working, prediction) / contrast,
    )
    return Placed(working, final, prediction, registration)


def _window(geometry: Geometry, film: Sequence[int]) -> tuple[int, int, int, int] | None:
    """Return the part of the copy that shows the film: top, left, bottom, right."""
    rows, columns = geometry.shape
    maps = Geometry(geometry.to_film @ scaling(columns / 64, rows / 64), (64, 64)).film_maps((1, 1))
    seen = inside(maps, (film[0], film[1]), 0)
    if not seen.any():
        return None
    down, across = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    top, bottom = (int(down[0]) - 1) * rows // 64, (int(down[-1]) + 2) * rows // 64 + 1
    left, right = (int(across[0]) - 1) * columns // 64, (int(across[-1]) + 2) * columns // 64 + 1
    return max(0, top), max(0, left), min(rows, bottom), min(columns, right)


def _reduced(cut: Float, geometry: Geometry, longer: int) -> tuple[Float, Geometry]:
    """Return the copy reduced so that the whole film would span the working size."""
    import cv2

    extent = longer / geometry.film_pixels_per_pixel()
    factor = min(1.0, _WORKING / extent)
    if factor > 0.97:
        return cut, geometry
    shape = (max(32, round(cut.shape[0] * factor)), max(32, round(cut.shape[1] * factor)))
    area = cv2.resize(cut, (shape[1], shape[0]), interpolation=cv2.INTER_AREA)
    small = np.asarray(area, np.float32)
    return small, geometry.resized(shape)


def _coverage(geometry: Geometry, known: KnownFilm) -> float:
    """Return the share of the film that the copy shows."""
    x, y = geometry.copy_maps((64, 64), (known.frame.shape[0], known.frame.shape[1]))
    return float(np.mean(inside((x, y), geometry.shape, 0)))


def _measurements(known: KnownFilm, copy: Float, placed: Placed) -> tuple[Float, list[str]]:
    """Return a column of measurements (n, m), float32, and a name, for each hypothesis."""
    prediction = placed.prediction
    extent = max(known.frame.shape) / placed.geometry.film_pixels_per_pixel()
    bent = placed.geometry.bend is not None
    # Light and lenses change a photograph from place to place.
    shares = _LOCAL[1:] if bent else _LOCAL
    tries = [(prediction, share, f"local {share:g}") for share in shares]
    if _MOSTLY < prediction.followed < _NEARLY_ALL:
        whole = predict(known.film, placed.copy, placed.geometry, whole=True)
        tries.append((whole, shares[0], "whole"))
    columns, names = [], []
    for predicted, share, name in tries:
        meter = Meter(known.band, known.mask, placed.geometry, predicted)
        found = residual(placed.copy, predicted, share * extent)
        response = found.response(meter.signal())
        columns.append(meter.measure(found.score(), response, found.gain, striped=bent))
        names.append(name)
    quantised = detect(copy)
    if quantised is not None and not _drowned(quantised, placed):
        for sharp in _filtering(copy, placed):
            columns.append(_through_jpeg(known, copy, placed, quantised, sharp))
            names.append(f"jpeg {quantised.quality}" + (" unfiltered" if sharp else ""))
    return np.stack(columns, axis=1), names


def _drowned(quantised: Quantised, placed: Placed) -> bool:
    """Return whether a photograph's own noise drowns the quantisation."""
    bent = placed.geometry.bend is not None
    return bent and (placed.prediction.uneven or quantised.quality > _FINE)


def _filtering(copy: Float, placed: Placed) -> tuple[bool, ...]:
    """Return which assumptions about filtering to try: False filtered, True unfiltered.

    A large copy in the film's own pixels was hardly filtered, a bent one surely was.
    """
    if copy.size < _LARGE:
        return (False, True)
    return (placed.geometry.bend is None,)


def _through_jpeg(
    known: KnownFilm, copy: Float, placed: Placed, quantised: Quantised, sharp: bool
) -> Float:
    """Return the measurement through the quantisation of the copy's own pixels."""
    found = placed.registration
    top, left, bottom, right = found.window or (0, 0, *copy.shape)
    top += (quantised.top - top) % 8
    left += (quantised.left - left) % 8
    shape = ((bottom - top) // 8 * 8, (right - left) // 8 * 8)
    whole = np.ascontiguousarray(copy[top : top + shape[0], left : left + shape[1]])
    geometry = placed.at(top, left, shape)
    window = _LOCAL[0] * max(known.frame.shape) / geometry.film_pixels_per_pixel()
    prediction = predict(known.fine, whole, geometry, rounds=1, sharp=sharp)
    fitted = residual(whole, prediction, window)
    if copy.size < _LARGE:
        before = unrounded(whole, fitted.expected, quantised, prediction.weight)
        prediction = predict(known.fine, before, geometry, rounds=1, sharp=sharp)
        fitted = residual(before, prediction, window)
    meter = Meter(known.band, known.mask, geometry, prediction)
    slope, response = score(whole, fitted.expected, meter.signal(), quantised, prediction.weight)
    return meter.measure(slope, response, fitted.gain)


def _decoys(key: bytes, measured: Float, image_digest: str) -> dict[str, float]:
    """Return the z statistics of invented views under a key of their own."""
    other = hashlib.sha256(b"leadapron/decoys" + key).digest()
    names = [f"decoy-{i}" for i in range(_DECOYS)]
    scores = z_scores(other, names, measured, image_digest)
    return {
        "count": float(_DECOYS),
        "mean": float(scores.mean()),
        "sd": float(scores.std()),
        "max": float(scores.max()),
    }


def _ranked(
    views: Sequence[str], scores: npt.NDArray[np.float64], tried: int, calibrated: bool
) -> tuple[Candidate, ...]:
    ranked = []
    for place in np.argsort(-scores, kind="stable"):
        z = float(scores[place])
        p = bound(z, tried)
        ranked.append(Candidate(views[place], z, p, calibrated and p <= FALSE_NAMING))
    return tuple(ranked)


def _unplaced(views: Sequence[str], placed: Placed | None) -> Ranking:
    """Return the answer for a copy that shows no part of the film: nobody is named."""
    candidates = tuple(Candidate(view, 0.0, 1.0, False) for view in views)
    best = views[0] if views and placed is not None else ""
    registration = placed.registration if placed is not None else None
    return Ranking(best, 1.0, 0.0, candidates, registration, "inconclusive")


def _settings(placed: Placed, known: KnownFilm) -> Mapping[str, Any]:
    return {
        "method": METHOD,
        "chips": known.band.size,
        "mark_grid": list(known.band.grid),
        "working_copy": list(placed.copy.shape),
        "false_naming": FALSE_NAMING,
    }


def _check(original: Picture, leaked: Picture, key: bytes) -> None:
    if leaked.ndim not in (2, 3) or (leaked.ndim == 3 and leaked.shape[2] not in (1, 3, 4)):
        raise BadInput(
            f"A leaked copy must be grey or RGB, not an array of shape {leaked.shape}.",
            remedy="Load the picture with leadapron.watermark.load_picture.",
        )
    if original.ndim != 2 or min(original.shape) < 64:
        raise BadInput(
            f"The original must be one frame (H, W) of 64 pixels or more, not {original.shape}.",
            remedy="Pass the unmarked native frame.",
        )
    if min(leaked.shape[:2]) < 24:
        raise BadInput(
            f"A copy of {leaked.shape[0]}×{leaked.shape[1]} pixels is too small to trace.",
            remedy="Find a larger copy.",
        )
    if not key:
        raise BadInput("The watermark key is empty.", remedy="Open the key store.")
