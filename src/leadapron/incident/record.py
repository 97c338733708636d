"""The record of a trace: everything that its verdict rests on, in one way to write it.

The record is what the second person confirms, by its SHA-256. Whoever holds the copy, the film and
the key gets the same bytes from the same software: no time, no name and no case is in it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from leadapron import __version__
from leadapron.incident.measuring import Measured
from leadapron.watermark.media import Media, Shot
from leadapron.watermark.ranking import Candidate, threshold

FORMAT = "leadapron-trace/1"
TRACED, INCONCLUSIVE = "traced", "inconclusive"
_STRONGEST = 10
_DIGITS = 6


@dataclass(frozen=True)
class Record:
    """One record; `content` is what `data` says."""

    content: Mapping[str, Any]
    data: bytes

    @property
    def digest(self) -> str:
        """Its hexadecimal SHA-256."""
        return hashlib.sha256(self.data).hexdigest()

    @property
    def results(self) -> list[dict[str, Any]]:
        """One result a film that was tried in a picture."""
        return list(self.content["results"])

    @property
    def verdict(self) -> str:
        """``traced`` if any result points to a view, else ``inconclusive``."""
        traced = any(r["verdict"] == TRACED for r in self.results)
        return TRACED if traced else INCONCLUSIVE

    @property
    def pointed(self) -> list[dict[str, Any]]:
        """Every view pointed to: view, z, p and the number of its result; strongest first."""
        found = [
            {**named, "result": number}
            for number, result in enumerate(self.results)
            for named in result["pointed"]
        ]
        best: dict[str, dict[str, Any]] = {}
        for one in sorted(found, key=lambda f: (f["p"], -f["z"], f["view"])):
            best.setdefault(one["view"], one)
        return list(best.values())

    @classmethod
    def read(cls, data: bytes) -> Record:
        """Return the record that `data` holds."""
        return cls(json.loads(data), data)


def make_record(
    copy: bytes, media: Media, measured: Sequence[Measured], films_tried: int
) -> Record:
    """Return the record of a trace of `copy`."""
    content = {
        "format": FORMAT,
        "software": {
            "name": "leadapron",
            "version": __version__,
        },
        "copy": {
            "sha256": hashlib.sha256(copy).hexdigest(),
            "size": len(copy),
            "kind": media.kind,
            "frames": media.frames,
        },
        "films_tried": films_tried,
        "results": [_result(m, media.shots[m.sight.shot]) for m in measured],
    }
    data = json.dumps(
        content, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
    )
    return Record(json.loads(data), data.encode())


def _result(made: Measured, shot: Shot) -> dict[str, Any]:
    sight, ranking = made.sight, made.ranking
    pointed = made.pointed
    registration = ranking.registration
    return {
        "picture": {
            "number": shot.number,
            "at_ms": shot.at_ms,
            "rows": shot.pixels.shape[0],
            "columns": shot.pixels.shape[1],
            "box": list(sight.box),
        },
        "film": {
            "sop_instance": sight.film.sop_instance,
            "frame": sight.frame,
            "rows": sight.film.rows,
            "columns": sight.film.columns,
            "object_sha256": sight.film.sha256,
            "matching_features": sight.inliers,
            "found_for_sure": sight.sure,
        },
        "verdict": TRACED if pointed else INCONCLUSIVE,
        "pointed": [_figures(c) for c in pointed],
        "strongest": [_figures(made.reported(c)) for c in ranking.candidates[:_STRONGEST]],
        "candidates": list(made.candidates),
        "tried": made.tried,
        "threshold": _round(threshold(made.tried)),
        "hypotheses": ranking.hypotheses,
        "decoys": {
            **{name: _rounded(value) for name, value in ranking.decoys.items()},
            "z": [round(z, 2) for z in made.decoys],
        },
        "registration": _rounded(registration.as_dict()) if registration else None,
        "settings": _rounded(ranking.settings),
        "overlay_sha256": hashlib.sha256(made.overlay).hexdigest() if made.overlay else "",
        "heatmap_sha256": hashlib.sha256(made.heatmap).hexdigest() if made.heatmap else "",
    }


def _figures(candidate: Candidate) -> dict[str, Any]:
    return {"view": candidate.view_id, "z": candidate.z, "p": float(f"{candidate.p:.3e}")}


def _rounded(value: Any) -> Any:
    """Return plain JSON values, numbers to six significant digits."""
    if isinstance(value, Mapping):
        return {str(name): _rounded(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(item) for item in value]
    if isinstance(value, float):
        return _round(value)
    return value


def _round(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
