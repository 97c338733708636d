"""PDF documents (Encapsulated PDF, PS3.3 A.45.1): drawn, cleaned as pictures, put together anew.

Nothing of the original file goes on: no metadata, attachment, form, script, link or hidden text.
Each page becomes a picture on which the known values and the general patterns are filled, found
by two readers: the text layer and the eye (PP-OCR). What only the eye sees, or what the two read
differently, is filled whole; a page that is mostly such text is a scan and is quarantined.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from leadapron.deid import contrast
from leadapron.deid.detector import TextBox, find_text, read_text
from leadapron.deid.folding import fold
from leadapron.deid.sweep import Sweep
from leadapron.model import BadInput, Quarantined

Picture = npt.NDArray[np.uint8]
MAGIC = b"%PDF-"
MAX_PAGES = 60
LONG_SIDE = 1600
MARGIN = 2
ALIKE, SURE, SHORT = 0.6, 0.6, 3
SCANNED, FEW = 0.5, 6
_WORKER = Path(__file__).with_name("pdfpages.py")
_EPOCH = time.gmtime(0)


@dataclass
class Page:
    """One drawn page: RGB picture (H, W, 3), its text layer, each character's pixel box."""

    picture: Picture
    text: str
    boxes: npt.NDArray[np.int64]


def clean_pdf(data: bytes, sweep: Sweep) -> tuple[bytes, list[str]]:
    """Return an image-only PDF without anything identifying, and the kinds of findings.

    Raises BadInput (``encapsulated-document``: unreadable, locked or too long) or Quarantined
    (``scanned-document``: most of a page's text is in pictures).
    """
    kinds: list[str] = []
    cleaned = [_clean_page(page, sweep, kinds) for page in pages(data)]
    return assemble(cleaned), list(dict.fromkeys(kinds))


def assemble(pictures: list[Picture]) -> bytes:
    """Return a PDF of pictures, the same bytes for the same pictures."""
    from PIL import Image

    sheets = [Image.fromarray(p) for p in pictures]
    out = BytesIO()
    sheets[0].save(
        out, "PDF", save_all=True, append_images=sheets[1:], resolution=150, quality=85,
        producer="LeadApron", creationDate=_EPOCH, modDate=_EPOCH,
    )  # fmt: skip
    return out.getvalue()


def blank() -> bytes:
    """Return a PDF of one empty page (code D)."""
    return assemble([np.full((1754, 1240), 255, np.uint8)])


def pages(data: bytes, most: int = MAX_PAGES) -> Iterator[Page]:
    """Yield the pages, drawn by a bounded process of its own."""
    command = [sys.executable, "-I", str(_WORKER), str(most)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as worker:
        try:
            yield from _received(worker, data)
        finally:
            worker.kill()


def _received(worker: subprocess.Popen[bytes], data: bytes) -> Iterator[Page]:
    if worker.stdin is None or worker.stdout is None:  # pragma: no cover - both are pipes
        return
    try:
        worker.stdin.write(data)
        worker.stdin.close()
    except BrokenPipeError as error:
        raise _refused("the reader ended early") from error
    count = int(_head(worker.stdout)["pages"])
    if not count:
        raise _refused("it has no pages")
    for _ in range(count):
        head = _head(worker.stdout)
        shape = (int(head["height"]), int(head["width"]), 3)
        raw = worker.stdout.read(int(np.prod(shape)))
        if len(raw) != int(np.prod(shape)):
            raise _refused("drawing it took too much memory or time")
        picture = np.frombuffer(raw, np.uint8).reshape(shape).copy()
        yield Page(picture, head["text"], np.array(head["boxes"], np.int64).reshape(-1, 4))


def _head(stream: IO[bytes]) -> dict[str, Any]:
    line = stream.readline(64 << 20)
    if not line.endswith(b"\n"):
        raise _refused("drawing it took too much memory or time")
    head: dict[str, Any] = json.loads(line)
    if "error" in head:
        raise _refused(head["error"])
    return head


def _refused(why: str) -> BadInput:
    return BadInput(
        f"the PDF cannot be cleaned: {why}",
        remedy="ask the sender for a plain, unlocked PDF",
        code="encapsulated-document",
    )


def _clean_page(page: Page, sweep: Sweep, kinds: list[str]) -> Picture:
    gray = page.picture.min(axis=2)  # coloured letters on white stay dark
    seen = contrast.Picture(gray, np.zeros(gray.shape, np.int8))  # paper: no exact ink to look for
    lines = find_text(seen, LONG_SIDE)
    strange = [line for line in lines if not _explained(page, line, *read_text(seen, line))]
    if len(strange) > max(FEW, SCANNED * len(lines)):
        raise Quarantined(
            f"{len(strange)} of {len(lines)} lines on a page of the PDF are pictures of text",
            remedy="look at the document; send one whose text is text",
            code="scanned-document",
        )
    for box in [*_from_layer(page, sweep, kinds), *map(_wide, strange)]:
        _fill(page.picture, gray, box)
    kinds.extend(["picture-of-text"] if strange else [])
    for line in lines:
        found = sweep.spans(read_text(seen, line)[0])
        kinds.extend(kind for _, _, kind in found)
        if found:
            _fill(page.picture, gray, _wide(line))
    return _reduced(page.picture)


def _fill(picture: Picture, gray: Picture, box: tuple[int, int, int, int]) -> None:
    x0, y0, x1, y1 = box
    window = (slice(max(0, y0), max(0, y1)), slice(max(0, x0), max(0, x1)))
    picture[window], gray[window] = 0, 0


def _from_layer(page: Page, sweep: Sweep, kinds: list[str]) -> list[tuple[int, int, int, int]]:
    """Return the boxes of the characters that the text layer shows to be identifying."""
    fills = []
    for start, end, kind in sweep.spans(page.text):
        kinds.append(kind)
        for x0, y0, x1, y1 in page.boxes[start:end]:
            aside, above = MARGIN, MARGIN + int(y1 - y0) // 6
            fills.append((int(x0) - aside, int(y0) - above, int(x1) + aside, int(y1) + above))
    return fills


def _explained(page: Page, line: TextBox, read: str, sure: float) -> bool:
    """Return whether the text layer says the same at this place as the eye."""
    middle = (page.boxes[:, :2] + page.boxes[:, 2:]) // 2
    inside = (
        (middle[:, 0] >= line.x0) & (middle[:, 0] < line.x1)
        & (middle[:, 1] >= line.y0) & (middle[:, 1] < line.y1)
    )  # fmt: skip
    written = _letters("".join(page.text[i] for i in np.flatnonzero(inside)))
    if not written:
        return False
    shown = _letters(read)
    if sure < SURE or len(shown) < SHORT:
        return True
    return SequenceMatcher(None, written, shown).ratio() >= ALIKE


def _letters(text: str) -> str:
    return "".join(c for c in fold(text)[0].casefold() if c.isalnum())


def _wide(line: TextBox) -> tuple[int, int, int, int]:
    return line.x0 - MARGIN, line.y0 - MARGIN, line.x1 + MARGIN, line.y1 + MARGIN


def _reduced(picture: Picture) -> Picture:
    """Return gray pages as (H, W): a third of the bytes."""
    gray = (picture[..., :1] == picture).all()
    return np.ascontiguousarray(picture[..., 0]) if gray else picture
