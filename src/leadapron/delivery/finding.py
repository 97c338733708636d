"""Find the film behind a picture: fingerprints of films, and of what their readers saw.

A view with a flat background shares few features with the whole film, but all with itself.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import structlog

from leadapron.delivery.view import Frame
from leadapron.model import Region
from leadapron.store.encrypted_folder import EncryptedFolder
from leadapron.watermark import FilmIndex, Fingerprint, fingerprint

log = structlog.get_logger(__name__)

SEPARATOR = "/"


def look(sop_instance: str, regions: Iterable[Region], background: str) -> str:
    """Name what readers with this grant see of a film; equal for all of them."""
    grant = ",".join(sorted(regions)) + "|" + background
    return sop_instance + SEPARATOR + hashlib.sha256(grant.encode()).hexdigest()[:16]


class Finder:
    """Fingerprints in an encrypted folder, and the index over them in memory."""

    def __init__(self, folder: EncryptedFolder) -> None:
        self._folder = folder
        self._index: FilmIndex | None = None
        self._lock = threading.Lock()

    def __contains__(self, name: str) -> bool:
        return name in self._folder

    def remember(self, name: str, picture: Frame) -> None:
        """Keep the fingerprint of uint8/uint16 (rows, columns) durably, once.

        `name` is a SOP Instance UID or a `look`. A picture without features is logged and left.
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

    def find(self, picture: npt.NDArray[np.uint8]) -> list[tuple[str, int]]:
        """Return (SOP Instance UID, agreeing feature pairs) of films, best first."""
        best: dict[str, int] = {}
        with self._lock:
            matches = self._loaded().find(picture)
        for match in matches:
            film = match.film_id.partition(SEPARATOR)[0]
            best[film] = max(best.get(film, 0), match.inliers)
        return sorted(best.items(), key=lambda item: -item[1])

    def _loaded(self) -> FilmIndex:
        if self._index is None:
            self._index = FilmIndex()
            for item in self._folder.list():
                stored = Fingerprint.from_bytes(self._folder.read(item.name))
                self._index.add(item.name, stored)
        return self._index
