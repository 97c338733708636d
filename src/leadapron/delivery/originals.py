"""Sealed films opened: for a reader's marked copy, and for the tracer."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from leadapron.archive import Archive, Film
from leadapron.delivery.colour import Values, require_markable, values_of
from leadapron.delivery.finding import Finder, Found, look, whole
from leadapron.delivery.rendering import copy_for_reader, relabel
from leadapron.delivery.view import Frame, Opened, ViewGrant
from leadapron.edge import read_part10
from leadapron.model import ANATOMY, Decision, Region
from leadapron.seal import Manifest, SealKeys, inspect
from leadapron.seal.unsealing import OpenedFrame, open_frame, unseal
from leadapron.store.encrypted_folder import EncryptedFolder
from leadapron.watermark import embed, key_digest

CACHED_FILMS = 8

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class _Sealed:
    dataset: Dataset
    manifest: Manifest

    @property
    def frames(self) -> range:
        return range(1, self.manifest.format.frames + 1)

    def binding(self, frame: int) -> str:
        """Return the name of a frame's content that its mark is bound to."""
        digest = self.manifest.pixel_digest
        return digest if len(self.frames) == 1 else f"{digest}#{frame}"


@dataclass(frozen=True)
class _Made:
    """One frame of a view, marked and as its reader would see it without the mark."""

    frame: int
    marked: Frame
    shown: Values
    granted: Mask
    masks: Mapping[Region, Mask]


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
        """Raise Denied for what can't be marked."""
        require_markable(self._load(film).manifest.format)

    def binding(self, film: Film, frame: int = 1) -> str:
        """Return the name of a frame's content: the `image_digest` of its marks."""
        return self._load(film).binding(frame)

    def model_version(self, film: Film) -> str:
        """Return the network that drew the film's regions."""
        return self._load(film).manifest.model_version

    def commitment(self, film: Film, view_id: str) -> str:
        """Return the hex digest that commits to the marks of a view.

        One frame: `key_digest` of its mark. Several: SHA-256 over their digests in order.
        """
        sealed = self._load(film)
        digests = [key_digest(self.mark_key, view_id, sealed.binding(n)) for n in sealed.frames]
        if len(digests) == 1:
            return digests[0]
        return hashlib.sha256(b"".join(bytes.fromhex(d) for d in digests)).hexdigest()

    def open(self, film: Film, decision: Decision, view_id: str) -> Opened:
        """Make the marked copy of one view: frames where only the granted regions show."""
        sealed = self._load(film)
        plain = unseal(sealed.dataset, self._keys, frozenset())
        made = [self._made(sealed, plain, decision, view_id, n) for n in sealed.frames]
        sop, background = film.sop_instance, decision.obligations.background
        seen = [(look(sop, decision.regions, background, m.frame), m.shown.luma) for m in made]
        self._background.submit(self._remember, film, seen)
        first = made[0]
        frames = tuple(m.marked for m in made)
        dataset = copy_for_reader(
            plain, frames, first.shown.bits, first.granted, first.shown.pixels
        )
        relabel(dataset, film)
        return Opened(dataset, frames, first.granted, first.masks)

    def frame(self, film: Film, frame: int = 1) -> Frame:
        """Return the unmarked luma (rows, columns) of a frame: for the tracer only."""
        sealed = self._load(film)
        plain = unseal(sealed.dataset, self._keys, frozenset())
        return values_of(open_frame(sealed.dataset, self._keys, None, frame), plain).luma

    def find(self, picture: npt.NDArray[np.uint8], grants: Iterable[ViewGrant]) -> list[Found]:
        """Return the films and frames that `picture` may show, best first.

        What a crash left without a fingerprint gets one now.
        """
        for grant in self._finder.missing(grants):
            film = self._archive.get(grant.sop_instance)
            sealed = self._load(film)
            plain = unseal(sealed.dataset, self._keys, frozenset())
            seen = []
            for n in sealed.frames:
                opened = open_frame(sealed.dataset, self._keys, None, n)
                granted = _granted(opened, grant.regions)
                shown = values_of(opened, plain).showing(granted, grant.background)
                name = look(film.sop_instance, grant.regions, grant.background, n)
                seen.append((name, shown.luma))
            self._remember(film, seen)
        return self._finder.find(picture)

    def close(self) -> None:
        """Finish what runs in the background."""
        self._background.shutdown(wait=True)

    def _made(
        self, sealed: _Sealed, plain: Dataset, decision: Decision, view_id: str, frame: int
    ) -> _Made:
        obligations = decision.obligations
        needed = decision.regions | obligations.outlines
        every = None if obligations.background == "mosaic" else needed
        opened = open_frame(sealed.dataset, self._keys, every, frame)
        granted = _granted(opened, decision.regions)
        clear = values_of(opened, plain)
        shown = clear.showing(granted, obligations.background)
        marked = embed(
            shown.luma,
            self.mark_key,
            view_id,
            shown.bits,
            psnr_db=obligations.psnr_db,
            granted=granted,
            image_digest=sealed.binding(frame),
        )
        masks = {r: m for r, m in opened.region_masks.items() if r in needed}
        return _Made(frame, shown.with_luma(marked), shown, granted, masks)

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

    def _remember(self, film: Film, seen: list[tuple[str, Frame]]) -> None:
        """Keep the fingerprints of a film, and of what a reader saw of it.

        The film comes first and the first frame last: if the last name is there, all are.
        """
        for n in reversed(self._load(film).frames):
            name = whole(film.sop_instance, n)
            if name not in self._finder:
                self._finder.remember(name, self.frame(film, n))
        for name, picture in reversed(seen):
            self._finder.remember(name, picture)


def _granted(opened: OpenedFrame, regions: frozenset[Region]) -> Mask:
    granted = np.zeros(opened.granted.shape, dtype=np.bool_)
    for region in regions:
        mask = opened.region_masks.get(region)
        if mask is not None:
            granted |= mask
    return granted
