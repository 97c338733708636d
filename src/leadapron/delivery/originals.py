"""Sealed films opened: for a reader's marked copy, and for the tracer."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from leadapron.archive import Archive, Film
from leadapron.delivery.finding import Finder, look
from leadapron.delivery.rendering import copy_for_reader, hide, normalise, relabel
from leadapron.delivery.view import Frame, Opened, ViewGrant
from leadapron.edge import read_part10
from leadapron.model import ANATOMY, Decision, Denied, Region
from leadapron.seal import Manifest, SealKeys, inspect
from leadapron.seal.unsealing import OpenedFrame, open_frame, unseal
from leadapron.store.encrypted_folder import EncryptedFolder
from leadapron.watermark import embed

CACHED_FILMS = 8


@dataclass(frozen=True)
class _Sealed:
    dataset: Dataset
    manifest: Manifest


class Originals:
    """Opens sealed films with the centre's private key and marks what leaves."""

    def __init__(
        self, archive: Archive, keys: SealKeys, mark_key: bytes, fingerprints: EncryptedFolder
    ) -> None:
        """`mark_key` (32 bytes) makes the watermarks; `fingerprints` find a leaked film again."""
        self.mark_key = mark_key
        self._archive = archive
        self._keys = keys
        self._finder = Finder(fingerprints)
        self._sealed: OrderedDict[str, _Sealed] = OrderedDict()
        self._regions: dict[str, tuple[frozenset[Region], bool]] = {}
        self._lock = threading.Lock()
        self._background = ThreadPoolExecutor(1, thread_name_prefix="fingerprint")

    def regions(self, film: Film) -> tuple[frozenset[Region], bool]:
        """Return (regions of the film, whether it is a frontal chest film)."""
        known = self._regions.get(film.sha256)
        if known is None:
            available = frozenset(self._load(film).manifest.regions)
            known = self._regions[film.sha256] = available, bool(available & ANATOMY)
        return known

    def require_film(self, film: Film) -> None:
        """Raise Denied for what can't be marked: several frames, or colour."""
        pixels = self._load(film).manifest.format
        if pixels.frames != 1 or pixels.samples != 1:
            raise Denied(
                "this object has several frames or colours; only single grey films are delivered",
                remedy="ask the PACS administrator to release the original",
                code="not-a-film",
            )

    def image_digest(self, film: Film) -> str:
        """Return the digest of the original pixels, as the seal's manifest holds it."""
        return self._load(film).manifest.pixel_digest

    def open(self, film: Film, decision: Decision, view_id: str) -> Opened:
        """Make the marked copy of one view: a frame where only the granted regions show."""
        sealed = self._load(film)
        obligations = decision.obligations
        needed = decision.regions | obligations.outlines
        every = None if obligations.background == "mosaic" else needed
        whole = open_frame(sealed.dataset, self._keys, every)
        granted = _granted(whole, decision.regions)
        plain = unseal(sealed.dataset, self._keys, frozenset())
        clear = normalise(whole.pixels, plain)
        shown = hide(clear, granted, obligations.background)
        marked = embed(
            shown,
            self.mark_key,
            view_id,
            int(plain.BitsStored),
            psnr_db=obligations.psnr_db,
            granted=granted,
        )
        name = look(film.sop_instance, decision.regions, obligations.background)
        self._background.submit(self._finder.remember, name, shown)
        self._background.submit(self._remember_film, film)
        masks = {r: m for r, m in whole.region_masks.items() if r in needed}
        copy = copy_for_reader(plain, marked, granted, shown)
        relabel(copy, film)
        return Opened(copy, marked, granted, masks)

    def frame(self, film: Film) -> tuple[Frame, int]:
        """Return (the unmarked normalised frame, BitsStored): for the tracer only."""
        sealed = self._load(film)
        plain = unseal(sealed.dataset, self._keys, frozenset())
        whole = open_frame(sealed.dataset, self._keys, None)
        return normalise(whole.pixels, plain), int(plain.BitsStored)

    def find(
        self, picture: npt.NDArray[np.uint8], grants: Iterable[ViewGrant]
    ) -> list[tuple[str, int]]:
        """Return (SOP Instance UID, agreeing feature pairs) that `picture` may show, best first.

        What a crash left without a fingerprint gets one now.
        """
        for grant in grants:
            film = self._archive.get(grant.sop_instance)
            name = look(film.sop_instance, grant.regions, grant.background)
            self._remember_film(film)
            if name not in self._finder:
                sealed = self._load(film)
                whole = open_frame(sealed.dataset, self._keys, None)
                granted = _granted(whole, grant.regions)
                clear, _ = self.frame(film)
                self._finder.remember(name, hide(clear, granted, grant.background))
        return self._finder.find(picture)

    def close(self) -> None:
        """Finish what runs in the background."""
        self._background.shutdown(wait=True)

    def _load(self, film: Film) -> _Sealed:
        with self._lock:
            known = self._sealed.get(film.sop_instance)
            if known is not None:
                self._sealed.move_to_end(film.sop_instance)
                return known
        dataset = read_part10(self._archive.read(film))
        sealed = _Sealed(dataset, inspect(dataset, self._keys))
        with self._lock:
            self._sealed[film.sop_instance] = sealed
            while len(self._sealed) > CACHED_FILMS:
                self._sealed.popitem(last=False)
        return sealed

    def _remember_film(self, film: Film) -> None:
        if film.sop_instance not in self._finder:
            self._finder.remember(film.sop_instance, self.frame(film)[0])


def _granted(opened: OpenedFrame, regions: frozenset[Region]) -> npt.NDArray[np.bool_]:
    granted = np.zeros(opened.granted.shape, dtype=np.bool_)
    for region in regions:
        mask = opened.region_masks.get(region)
        if mask is not None:
            granted |= mask
    return granted
