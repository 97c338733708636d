"""Films with labels: sources, the fixed split, and the cache the training reads."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from leadapron.anatomy.labels import INDEX
from leadapron.anatomy.preprocessing import Letterbox
from leadapron.anatomy.training import drawn_bones
from leadapron.anatomy.training.weak_bone import bone_labels
from leadapron.model import BadInput, Region

SIZE = 512
SPLIT_SEED = 20240
_SAME_PERSON = 0.4
_DRR_AIR = 14
_HEART_BELOW, _VESSELS_ABOVE = 0.5, 0.12
_SWAPPED = frozenset({"053"})
Plane = npt.NDArray[np.uint16]


@dataclass
class Film:
    """One film in a square of side SIZE.

    Attributes:
        name: source and file.
        split: train, val or test.
        image: uint8 (SIZE, SIZE).
        target: bit ``i`` set where channel ``i`` of ``labels.CHANNELS`` is present.
        known: bit ``i`` set where channel ``i`` is labelled at all.
        inside: where the square shows the film.
    """

    name: str
    split: str
    image: npt.NDArray[np.uint8]
    target: Plane
    known: Plane
    inside: npt.NDArray[np.bool_]

    @property
    def source(self) -> str:
        """The data set this film came from."""
        return self.name.split("/")[0]


def bit(region: Region) -> int:
    """Return the region's bit in ``target`` and ``known``."""
    return 1 << INDEX[region]


def split_names(names: list[str], shares: tuple[float, float]) -> dict[str, str]:
    """Assign names to test and val by shares, the rest to train, by a fixed shuffle."""
    order = np.random.default_rng(SPLIT_SEED).permutation(len(names))
    ends = np.cumsum([round(share * len(names)) for share in shares])
    return {
        names[int(film)]: "test" if rank < ends[0] else "val" if rank < ends[1] else "train"
        for rank, film in enumerate(order)
    }


def wingspan(root: Path) -> Iterator[Film]:
    """Lungs without the heart's shadow, heart, and weak bone inside the lungs."""
    folder = root / "wingspan"
    paths = sorted((folder / "images").glob("*.png"))
    split = split_names([p.stem for p in paths], (1 / 3, 0.1))
    for path in paths:
        image, labels = _grey(path), _raw(folder / "labels" / path.name)
        right, left, heart = _wingspan_planes(path.stem, labels)
        residual = _grey(folder / "bone_residual" / f"{path.stem}.jpg")
        bone, trusted = bone_labels(residual, image, right | left)
        target = (
            right * bit(Region.RIGHT_LUNG)
            | left * bit(Region.LEFT_LUNG)
            | heart * bit(Region.HEART)
            | bone * bit(Region.RIBS)
        )
        always = bit(Region.RIGHT_LUNG) | bit(Region.LEFT_LUNG) | bit(Region.HEART)
        known = always | trusted * bit(Region.RIBS)
        body, sure = body_labels(image, right | left)
        target, known = target | body * bit(Region.THORAX), known | sure * bit(Region.THORAX)
        yield _film(f"wingspan/{path.stem}", split[path.stem], image, target, known)


def _wingspan_planes(name: str, labels: Plane) -> tuple[npt.NDArray[np.bool_], ...]:
    """Return right lung, left lung and heart by one definition.

    On some films the left lung was drawn through the heart, and on one the two were
    swapped: seen on contact sheets of the training part.
    """
    right, left, heart = ((labels & value) > 0 for value in (1, 2, 4))
    if name in _SWAPPED:
        left, heart = heart, left
    return right & ~heart, left & ~heart, heart


def gbc100(root: Path) -> Iterator[Film]:
    """Lungs and the cardiomediastinum; the lung drawn behind the heart does not count.

    The heart is not drawn on its own: it is taken to fill the lower half of the
    cardiomediastinum, to be absent outside it and in its top, and unknown in between.
    """
    folder = root / "gbc100"
    paths = sorted((folder / "images").glob("*.jpg"))
    split = split_names([p.stem for p in paths], (0.0, 0.2))
    for path in paths:
        image, labels = _grey(path), _raw(folder / "labels" / f"{path.stem}.png")
        centre = (labels & 4) > 0
        heart, certain = _heart_of(centre)
        target = (
            (((labels & 1) > 0) & ~centre) * bit(Region.RIGHT_LUNG)
            | (((labels & 2) > 0) & ~centre) * bit(Region.LEFT_LUNG)
            | centre * bit(Region.MEDIASTINUM)
            | heart * bit(Region.HEART)
        )
        drawn = ((Region.RIGHT_LUNG, 1), (Region.LEFT_LUNG, 2))
        lungs = sum(bit(region) for region, value in drawn if (labels & value).any())
        known = (lungs | bit(Region.MEDIASTINUM)) | certain * bit(Region.HEART)
        body, sure = body_labels(image, (labels & 3) > 0)
        target, known = target | body * bit(Region.THORAX), known | sure * bit(Region.THORAX)
        yield _film(f"gbc100/{path.stem}", split[path.stem], image, target, known)


def _heart_of(
    centre: npt.NDArray[np.bool_],
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Return (heart, certain) within the cardiomediastinum, bool (H, W) each."""
    rows = np.nonzero(centre.any(axis=1))[0]
    top, bottom = (int(rows[0]), int(rows[-1])) if rows.size else (0, 0)
    level = (np.arange(centre.shape[0]) - top)[:, None] / max(1, bottom - top)
    heart = centre & (level > _HEART_BELOW)
    return heart, heart | ~centre | (level < _VESSELS_ABOVE)


def rib_drr(root: Path) -> Iterator[Film]:
    """Exact ribs on projections of CTs; variants of one person stay in one part."""
    folder = root / "rib_drr"
    paths = sorted((folder / "images").glob("*.png"))
    people = _people([_grey(path) for path in paths])
    split = split_names([str(p) for p in sorted(set(people))], (0.2, 0.05))
    for path, person in zip(paths, people, strict=True):
        ribs = _raw(folder / "labels" / path.name) > 0
        image = _grey(path)
        body = _filled(image > _DRR_AIR)
        target = ribs * bit(Region.RIBS) | body * bit(Region.THORAX)
        known = np.full(ribs.shape, bit(Region.RIBS) | bit(Region.THORAX))
        yield _film(f"rib_drr/{path.stem}", split[str(person)], image, target, known)


def _people(images: list[npt.NDArray[np.uint8]]) -> list[int]:
    """Group projections whose fine structure agrees: variants of one person."""
    small = [
        cv2.resize(image, (96, 96), interpolation=cv2.INTER_AREA).astype(np.float32)
        for image in images
    ]
    rows = np.stack([(s - cv2.GaussianBlur(s, (0, 0), 4)).ravel() for s in small])
    rows -= rows.mean(axis=1, keepdims=True)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True) + 1e-6
    person = list(range(len(images)))
    for first, second in np.argwhere(np.triu(rows @ rows.T > _SAME_PERSON, 1)):
        old, new = person[int(second)], person[int(first)]
        person = [new if p == old else p for p in person]
    return person


def body_labels(
    image: npt.NDArray[np.uint8], lungs: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Return (body, sure), bool (H, W): all but the border-connected field darker than lung.

    The band between body and air is not sure.
    """
    smooth = cv2.GaussianBlur(image, (0, 0), 2.5)
    air = smooth < max(3.0, 0.75 * float(np.percentile(smooth[lungs], 3)))
    padded = np.pad(air, 1, constant_values=True).astype(np.uint8)
    _, pieces = cv2.connectedComponents(padded)
    outside = (pieces == pieces[0, 0])[1:-1, 1:-1]
    body = _filled(~outside | lungs)
    edge = cv2.morphologyEx(body.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((13, 13), np.uint8))
    return body, edge == 0


def _filled(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return the largest piece of the mask without its holes."""
    opened = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    lines, _ = cv2.findContours(opened, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not lines:
        return mask
    largest = max(lines, key=cv2.contourArea)
    canvas = np.zeros(mask.shape, np.uint8)
    return np.asarray(cv2.drawContours(canvas, [largest], -1, 1, cv2.FILLED) > 0)


SOURCES: dict[str, Callable[[Path], Iterator[Film]]] = {
    "wingspan": wingspan,
    "gbc100": gbc100,
    "rib_drr": rib_drr,
}


def load(root: Path, sources: tuple[str, ...] = tuple(SOURCES)) -> list[Film]:
    """Read every film of the named sources under ``root``."""
    return [film for source in sources for film in SOURCES[source](root)]


def with_drawn_bones(root: Path, films: list[Film]) -> Iterator[Film]:
    """Yield a copy, of source ``drawn``, of each film on which clavicles and spine were drawn.

    Where the spine's borders are a guess only its middle counts. Raises BadInput if a
    film is not the one that was drawn on.
    """
    known = {film.name: film for film in films}
    for name, drawing in drawn_bones.drawings().items():
        if name not in known:
            continue
        source, stem = name.split("/")
        path = next((root / source / "images").glob(f"{stem}.*"))
        if hashlib.sha256(path.read_bytes()).hexdigest() != drawing["sha256"]:
            raise BadInput(
                f"{path.name} is not the film that was drawn on", remedy="see drawn_bones"
            )
        image = _grey(path)
        shape = (image.shape[0], image.shape[1])
        target, labelled = np.zeros(shape, np.uint16), np.zeros(shape, np.uint16)
        for region, mask in drawn_bones.masks(drawing, shape).items():
            sure = np.ones(shape, np.bool_)
            if region is Region.SPINE:
                middle = cv2.erode(mask.astype(np.uint8), np.ones((1, 15), np.uint8)) > 0
                sure = ~drawn_bones.uncertain(drawing, shape) | middle
            target |= (mask * bit(region)).astype(np.uint16)
            labelled |= (sure * bit(region)).astype(np.uint16)
        bones = _film(name, known[name].split, image, target, labelled)
        film = known[name]
        yield replace(
            film,
            name=f"drawn/{name}",
            target=film.target | bones.target,
            known=film.known | bones.known,
        )


def manifest(root: Path) -> dict[str, str]:
    """Return the SHA-256 of every file under the sources' folders, by relative path."""
    files = (p for source in SOURCES for p in sorted((root / source).rglob("*")) if p.is_file())
    return {str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def write_manifest(root: Path, films: list[Film], out: Path) -> str:
    """Write the list of data files with hashes and the split; return its own digest."""
    split = {film.name: film.split for film in films}
    text = json.dumps({"files": manifest(root), "split": split}, indent=1, sort_keys=True)
    out.write_text(text)
    return hashlib.sha256(text.encode()).hexdigest()


def _film(
    name: str,
    split: str,
    image: npt.NDArray[np.uint8],
    target: npt.NDArray[np.integer],
    known: npt.NDArray[np.integer],
) -> Film:
    box = Letterbox.of((image.shape[0], image.shape[1]), SIZE)

    def fit(plane: npt.NDArray[np.integer], method: int) -> npt.NDArray[np.integer]:
        square = np.zeros((SIZE, SIZE), dtype=plane.dtype)
        rows, cols = box.inner
        square[box.rows, box.cols] = cv2.resize(plane, (cols, rows), interpolation=method)
        return square

    smooth = cv2.INTER_AREA if max(image.shape) > SIZE else cv2.INTER_LINEAR
    return Film(
        name,
        split,
        fit(image, smooth).astype(np.uint8),
        fit(target.astype(np.uint16), cv2.INTER_NEAREST).astype(np.uint16),
        fit(known.astype(np.uint16), cv2.INTER_NEAREST).astype(np.uint16),
        box.inside,
    )


def _grey(path: Path) -> npt.NDArray[np.uint8]:
    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise FileNotFoundError(path)
    return np.asarray(image, dtype=np.uint8)


def _raw(path: Path) -> npt.NDArray[np.uint16]:
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise FileNotFoundError(path)
    return np.asarray(image, dtype=np.uint16)
