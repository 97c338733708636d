"""What can be said of a sealed object without any key: the archive asks this at ingest."""

from __future__ import annotations

from collections.abc import Collection

from pydicom.dataset import Dataset

from leadapron.model import BadInput, IntegrityFailure
from leadapron.seal.attributes import leaks
from leadapron.seal.block import Block, has_block, read_block
from leadapron.seal.pixels import PixelFormat, read_words, transfer_syntax
from leadapron.seal.profile import FULL
from leadapron.seal.suite import PADDING_FLOOR, TAG_BYTES

_CHECK_BYTES = 32


def is_sealed(ds: Dataset) -> bool:
    """Return whether `ds` says that it carries a seal; `verify_sealed` checks that it does."""
    return has_block(ds)


def verify_sealed(ds: Dataset, profiles: Collection[str] = ("full",)) -> None:
    """Check without a key that `ds` is sealed and shows nothing.

    The private block is complete, every stored frame is one flat colour (profile ``full``),
    and no other attribute could show or measure pixels. `profiles` names what is allowed;
    an object of profile ``regions`` has a readable picture by intent.

    Raises BadInput, with what is wrong as its message.
    """
    try:
        block = read_block(ds)
    except IntegrityFailure as exc:
        raise _refused(exc.message) from exc
    if block.profile not in {p.upper() for p in profiles}:
        raise _refused(f"its seal profile {block.profile.lower()} is not allowed here")
    _check_structure(block)
    found = leaks(ds)
    if found:
        raise _refused(f"attributes beside Pixel Data may show the film: {', '.join(found)}")
    fmt = PixelFormat.of(ds)
    if {c.frame for c in block.cells} != set(range(1, fmt.frames + 1)):
        raise _refused("a frame has no sealed cell")
    if block.profile == FULL:
        _check_flat(ds, fmt)


def _check_structure(block: Block) -> None:
    if not block.cells:
        raise _refused("it holds no cell")
    if len(block.check) != _CHECK_BYTES:
        raise _refused("its key check value is not 32 bytes")
    for frame in {c.frame for c in block.cells}:
        numbers = sorted(c.cell for c in block.cells if c.frame == frame)
        if numbers != list(range(1, len(numbers) + 1)):
            raise _refused(f"the cells of frame {frame} are not numbered 1, 2, 3 …")
    for data in (block.manifest, *(c.ciphertext for c in block.cells)):
        if len(data) < PADDING_FLOOR + TAG_BYTES or len(data) % 2:
            raise _refused("a ciphertext is shorter than its padding")


def _check_flat(ds: Dataset, fmt: PixelFormat) -> None:
    native = -(-fmt.frame_bits * fmt.frames // 8)
    limit = native + native % 2
    if transfer_syntax(ds).is_encapsulated:
        # A flat frame codes to less than this under RLE, the weakest of the codecs.
        limit = native // 32 + 4096 * fmt.frames
    if len(ds.get("PixelData") or b"") > limit:
        raise _refused("its Pixel Data is longer than a flat picture needs")
    for index in range(fmt.frames):
        words = read_words(ds, fmt, index)
        planes = words.reshape(-1 if fmt.subsampled else fmt.samples, fmt.rows * fmt.columns)
        if fmt.subsampled or (planes != planes[:, :1]).any():
            raise _refused(f"the stored picture of frame {index + 1} is not flat")


def _refused(what: str) -> BadInput:
    return BadInput(
        f"the object is not properly sealed: {what}",
        remedy="seal the original again at the edge and send that",
        code="not-sealed",
    )
