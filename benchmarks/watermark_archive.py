"""An archive of ten thousand films: real ones, and pictures made of some of them.

Real films are split by a fixed seed: some are asked for, some are kept out of the archive (no
copy of them may be found), and the rest serve as material. A made picture blends a film of the
rest with another one or with a radiograph computed from a CT, through a cloud-like mask. Each
is mirrored or not, turned, stretched and bent, and the blend gets a tone curve and noise of
its own. No made picture shows a film that is asked for: as with other patients' films, what is
alike is the anatomy, not the picture.

Fingerprints are kept in a folder, 200 to a file, so that a broken run goes on where it was.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from leadapron.watermark import FilmIndex, Fingerprint, fingerprint
from watermark_films import DATA, Picture, natives, rendered

_RECIPE = 1
_SHARD = 200
_SIDE = 512
_LEAST = 480


@dataclass(frozen=True)
class Archive:
    """Which real films are asked for, kept out, or lent to made pictures: name to picture."""

    asked: dict[str, Picture]
    outside: dict[str, Picture]
    rest: dict[str, Picture]

    @classmethod
    def split(cls, asked: int, outside: int) -> Archive:
        real = real_films()
        large = [name for name, p in real.items() if max(p.shape) >= _LEAST]
        order = np.random.default_rng(2026).permutation(len(large))
        names = [large[i] for i in order]
        chosen = (names[:asked], names[asked : asked + outside])
        left = [n for n in real if n not in {*chosen[0], *chosen[1]}]
        return cls(*({n: real[n] for n in some} for some in (*chosen, left)))

    def films(self, total: int) -> Iterator[tuple[str, Callable[[], Picture]]]:
        """Yield the name and the maker of each picture in the archive."""
        for name, picture in chain(self.asked.items(), self.rest.items()):
            yield name, lambda p=picture: p
        real, material = [*self.rest.values()], [*self.rest.values(), *projections()]
        for i in range(total - len(self.asked) - len(self.rest)):
            yield f"made-{i}", lambda i=i: made(real, material, i)

    def index(self, total: int, folder: Path | None) -> FilmIndex:
        """Return the index over `total` films; made once, then read from `folder`."""
        index, films, shard = FilmIndex(), self.films(total), 0
        while some := list(islice(films, _SHARD)):
            for (name, _), one in zip(some, self._prints(some, folder), strict=True):
                index.add(name, one)
            shard += 1
            print(f"archive: {len(index)} of {total} films", end="\r", flush=True)
        print(f"archive: {len(index)} films, {len(self.asked) + len(self.rest)} of them real")
        return index

    def _prints(self, some: list, folder: Path | None) -> list[Fingerprint]:
        path = None if folder is None else folder / f"{_version()}-{self._name(some)}.npz"
        if path is not None and path.exists():
            with np.load(path) as kept:
                return [Fingerprint.from_bytes(kept[str(i)].tobytes()) for i in range(len(some))]
        prints = [fingerprint(make()) for _, make in some]
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            draft = path.with_suffix(".draft.npz")
            np.savez(draft, **{str(i): np.frombuffer(p.to_bytes(), np.uint8) for i, p in
                               enumerate(prints)})  # fmt: skip
            draft.replace(path)
        return prints

    def _name(self, some: list) -> str:
        """Return a name that differs if other films go into this file."""
        told = "/".join([*(name for name, _ in some), "of", *self.rest])
        return hashlib.sha256(told.encode()).hexdigest()[:16]


def _version() -> str:
    """Return a name of this fingerprint code: what it makes of a test picture."""
    y, x = np.mgrid[:300, :260]
    noise = np.random.default_rng(1).normal(0, 40, (30, 26))
    cloud = cv2.resize(noise, (260, 300), interpolation=cv2.INTER_CUBIC)
    probe = np.clip(128 + 60 * np.sin(x / 21) * np.cos(y / 17) + cloud, 0, 255).astype(np.uint8)
    told = fingerprint(probe).to_bytes() + bytes([_RECIPE])
    return hashlib.sha256(told).hexdigest()[:12]


def real_films() -> dict[str, Picture]:
    """Return every real film there is, 8 bit; say aloud what is missing."""
    found = {name: rendered(frame, bits) for name, _, frame, bits in natives()}
    for part in ("gbc100", "wingspan"):
        files = sorted((DATA / "anatomy" / part / "images").glob("*"))
        if not files:
            print(f"SKIPPED: no films of {part} under {DATA} (set LEADAPRON_TEST_DATA)")
        for file in files:
            found[f"{part}-{file.stem}"] = np.array(Image.open(file).convert("L"))
    return found


def projections() -> list[Picture]:
    """Return radiographs that were computed from CTs: material for made pictures only."""
    files = sorted((DATA / "anatomy" / "rib_drr" / "images").glob("*"))
    return [np.array(Image.open(f).convert("L")) for f in files]


def made(real: list[Picture], material: list[Picture], seed: int) -> Picture:
    """Return a picture made of a real one and any other, uint8, longer side 512 pixels."""
    rng = np.random.default_rng([41, seed])
    one, other = (some[int(rng.integers(len(some)))] for some in (real, material))
    factor = _SIDE / max(one.shape)
    size = (round(one.shape[1] * factor), round(one.shape[0] * factor))
    first, second = (_bent(p, size, rng) for p in (one, other))
    mask = _cloud(rng, size, 4, 1.0)
    mask = 1 / (1 + np.exp(-4 * (mask - np.quantile(mask, rng.uniform(0.3, 0.7)))))
    mixed = first * mask + second * (1 - mask)
    mixed = 255 * (np.clip(mixed, 0, 255) / 255) ** rng.uniform(0.6, 1.6)
    mixed = (mixed - 128) * rng.uniform(0.75, 1.25) + 128 + rng.uniform(-15, 15)
    mixed += rng.normal(0, rng.uniform(0.5, 2.5), mixed.shape)
    return np.clip(mixed, 0, 255).astype(np.uint8)


def _bent(picture: Picture, size: tuple[int, int], rng: np.random.Generator) -> Picture:
    w, h = size
    whole = cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    whole = whole[:, ::-1] if rng.random() < 0.5 else whole
    turn = cv2.getRotationMatrix2D((w / 2, h / 2), rng.uniform(-10, 10), 1.0)
    turn[:, :2] *= np.array([rng.uniform(0.9, 1.25), rng.uniform(0.9, 1.25)])
    turn[:, 2] = (w / 2, h / 2) - turn[:, :2] @ (w / 2, h / 2) + rng.uniform(-0.05, 0.05, 2) * w
    y, x = np.mgrid[:h, :w].astype(np.float32)
    across = turn[0, 0] * x + turn[0, 1] * y + turn[0, 2] + _cloud(rng, size, 5, 0.03 * w)
    down = turn[1, 0] * x + turn[1, 1] * y + turn[1, 2] + _cloud(rng, size, 5, 0.03 * w)
    maps = (across.astype(np.float32), down.astype(np.float32))
    return cv2.remap(
        np.ascontiguousarray(whole), *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    )


def _cloud(rng: np.random.Generator, size: tuple[int, int], cells: int, reach: float) -> Picture:
    lattice = rng.normal(0, reach, (cells, cells)).astype(np.float32)
    return cv2.resize(lattice, size, interpolation=cv2.INTER_CUBIC)
