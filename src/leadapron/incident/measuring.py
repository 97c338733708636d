"""One film in one picture: the ranking of its views, decoys, and the pictures for the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from leadapron.archive import Film
from leadapron.delivery import Delivery, Originals, ViewGrant, luma
from leadapron.delivery.display import encoded
from leadapron.incident.locating import Sight
from leadapron.watermark import Candidate, Ranking, registration_overlay, residual_heatmap, trace
from leadapron.watermark.ranking import FALSE_NAMING, bound

DECOYS = 200
"""Invented views that are measured like the real ones once a view stands out."""

Picture = npt.NDArray[np.unsignedinteger]


@dataclass(frozen=True, eq=False)
class Measured:
    """What one film in one picture gave.

    Attributes:
        candidates: the views of the film that were tried, by name.
        decoys: z of the invented views; empty when no view stands out.
        overlay, heatmap: PNG, or empty when no view stands out.
    """

    sight: Sight
    candidates: tuple[str, ...]
    ranking: Ranking
    decoys: tuple[float, ...] = ()
    overlay: bytes = b""
    heatmap: bytes = b""

    @property
    def tried(self) -> int:
        """N of the bound: candidates × leak chains × films tried."""
        return max(1, len(self.candidates)) * self.ranking.hypotheses

    @property
    def pointed(self) -> tuple[Candidate, ...]:
        """The views that the copy points to, strongest first.

        z is cut to two digits and p is computed from that, so that a reader of the report can
        do the same with its figures: p = N·exp(−z²/2).
        """
        shown = [self.reported(c) for c in self.ranking.accused]
        return tuple(c for c in shown if c.accused)

    def reported(self, candidate: Candidate) -> Candidate:
        """Return a candidate with the figures as they are reported."""
        z = float(np.floor(candidate.z * 100) / 100)
        p = bound(z, self.tried)
        return Candidate(candidate.view_id, z, p, candidate.accused and p <= FALSE_NAMING)


class Measuring:
    """Traces films of the archive; unmarked pixels stay in here."""

    def __init__(self, delivery: Delivery, originals: Originals) -> None:
        self._delivery = delivery
        self._originals = originals

    def measure(
        self,
        sight: Sight,
        picture: Picture,
        films_tried: int,
        candidates: Sequence[str] | None = None,
    ) -> Measured:
        """Rank the views of a film by one picture, or by the `candidates` of an earlier trace.

        `picture` is the whole picture of the copy; `sight.box` of it is traced.
        """
        film, part = sight.film, sight.box.of(picture)
        views = {g.view_id: g for g in self._delivery.views_of(film.sop_instance)}
        tried = tuple(sorted(views if candidates is None else candidates))
        ranking = self._ranked(film, sight.frame, part, tried, films_tried)
        made = Measured(sight, tried, ranking)
        if not made.pointed or ranking.registration is None:
            return made
        invented = tuple(f"decoy/{i}" for i in range(DECOYS))
        decoys = self._ranked(film, sight.frame, part, invented, films_tried)
        seen = self._as_seen(views[made.pointed[0].view_id], sight.frame)
        return Measured(
            sight,
            tried,
            ranking,
            tuple(sorted(float(c.z) for c in decoys.candidates)),
            encoded(registration_overlay(seen, part, ranking.registration), "png"),
            encoded(residual_heatmap(seen, part, ranking.registration), "png"),
        )

    def _ranked(
        self, film: Film, frame: int, part: Picture, views: Sequence[str], films_tried: int
    ) -> Ranking:
        return trace(
            self._originals.frame(film, frame),
            part,
            self._originals.mark_key,
            views,
            image_digest=self._originals.binding(film, frame),
            films_tried=films_tried,
        )

    def _as_seen(self, grant: ViewGrant, frame: int) -> Picture:
        """Return what the view's reader saw: a picture of it shows nothing that never left."""
        return luma(self._delivery.copy_of(grant).frames[frame - 1])
