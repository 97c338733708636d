"""Find the film behind a picture: fingerprints of films, and of what their readers saw.

A view with a flat background shares few features with the whole film, but all with itself.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import structlog

from leadapron.delivery.view import Frame, ViewGrant
from leadapron.model import Region
from leadapron.store.encrypted_folder import EncryptedFolder
from leadapron.watermark import FilmIndex, Fingerprint, fingerprint

log = structlog.get_logger(__name__)

VIEW, FRAME = "/", "#"


@dataclass(frozen=True)
class Found:
    """A frame of a film that a picture may show; `inliers` feature pairs agree."""

    sop_instance: str
    frame: int
    inliers: int


def whole(sop_instance: str, frame: int = 1) -> str:
    """Name a frame of a film."""
    return sop_instance if frame == 1 else f"{sop_instance}{FRAME}{frame}"


def look(sop_instance: str, regions: Iterable[Region], background: str, frame: int = 1) -> str:
    """Name what readers with this grant see of a frame; equal for all of them."""
    grant = ",".join(sorted(regions)) + "|" + background
    digest = hashlib.sha256(grant.encode()).hexdigest()[:16]
    return whole(f"{sop_instance}{VIEW}{digest}", frame)


class Finder:
    """Fingerprints in an encrypted folder, and the index over them in memory."""

    def __init__(self, folder: EncryptedFolder) -> None:
        self._folder = folder
        self._index: FilmIndex | None = None
        self._lock = threading.Lock()

    def __contains__(self, name: str) -> bool:
        return name in self._folder

    def missing(self, grants: Iterable[ViewGrant]) -> Iterator[ViewGrant]:
        """Yield the grants whose look has no fingerprint, one of each look."""
        seen = set()
        for grant in grants:
            name = look(grant.sop_instance, grant.regions, grant.background)
            if name not in seen and name not in self._folder:
                yield grant
            seen.add(name)

    def remember(self, name: str, picture: Frame) -> None:
        """Keep the fingerprint of uint8/uint16 (rows, columns) durably, once.

        `name` comes from `whole` or `look`. A picture without features is logged and left.
        """
        if name in self._folder:
            return
        try:
            made = fingerprint(picture)
            self._folder.write(name, made.to_bytes())
        except Exception:
            log.exception("fingerprint.failed", name=name)
            return
        with self._lock:
            if self._index is not None:
                self._index.add(name, made)

    def find(self, picture: npt.NDArray[np.uint8]) -> list[Found]:
        """Return the frames of films that `picture` may show, best first."""
        best: dict[tuple[str, int], int] = {}
        with self._lock:
            matches = self._loaded().find(picture)
        for match in matches:
            name, _, frame = match.film_id.partition(FRAME)
            place = name.partition(VIEW)[0], int(frame or 1)
            best[place] = max(best.get(place, 0), match.inliers)
        ordered = sorted(best.items(), key=lambda item: -item[1])
        return [Found(sop, frame, inliers) for (sop, frame), inliers in ordered]

    def _loaded(self) -> FilmIndex:
        if self._index is None:
            self._index = FilmIndex()
            for item in self._folder.list():
                stored = Fingerprint.from_bytes(self._folder.read(item.name))
                self._index.add(item.name, stored)
        return self._index
