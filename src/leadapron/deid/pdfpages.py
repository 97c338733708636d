"""A child process that draws the pages of a PDF: ``python -I pdfpages.py < file > frames``.

PDFium parses what strangers wrote, in C++: it runs apart, with bounds on memory and processor
time, so that a hostile file ends this process and not the gateway. It imports nothing of ours.

For each page: one line of JSON (width, height, text, and for each character its box in pixels),
then width × height × 3 bytes of RGB. A refusal is one line of JSON with `error`.
"""

from __future__ import annotations

import contextlib
import json
import resource
import sys
from typing import Any

DPI, MOST_SAMPLES = 150, 12_000_000
MEMORY, SECONDS = 3 << 30, 120


def _bound() -> None:
    for what, limit in (
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_CPU, SECONDS),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
    ):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(what, (limit, limit))


def _characters(page: Any, position: Any) -> tuple[str, list[list[int]]]:
    from pypdfium2 import raw

    layer = page.get_textpage()
    letters, boxes = [], []
    for index in range(layer.count_chars()):
        code = raw.FPDFText_GetUnicode(layer, index)
        left, bottom, right, top = layer.get_charbox(index, loose=True)
        corners = [position.to_bitmap(x, y) for x in (left, right) for y in (bottom, top)]
        across, down = [c[0] for c in corners], [c[1] for c in corners]
        letters.append(
            chr(code) if 0 < code < 0x110000 and not 0xD800 <= code < 0xE000 else "\ufffd"
        )
        boxes.append([min(across), min(down), max(across), max(down)])
    return "".join(letters), boxes


def _page(document: Any, index: int, out: Any) -> None:
    page = document[index]
    width, height = page.get_size()
    scale = min(DPI / 72, (MOST_SAMPLES / max(1.0, width * height)) ** 0.5)
    bitmap = page.render(scale=scale, rev_byteorder=True)
    picture = bitmap.to_numpy()[:, :, :3]
    text, boxes = _characters(page, bitmap.get_posconv(page))
    rows, columns = picture.shape[:2]
    head = {"width": columns, "height": rows, "scale": scale, "text": text, "boxes": boxes}
    out.write(json.dumps(head).encode() + b"\n")
    out.write(picture.tobytes())
    page.close()


def main() -> None:
    """Draw every page of the PDF on standard input."""
    import numpy  # noqa: F401 - loaded before the bounds are set
    import pypdfium2

    most = int(sys.argv[1])
    data = sys.stdin.buffer.read()
    _bound()
    out = sys.stdout.buffer
    try:
        document = pypdfium2.PdfDocument(data)
        document.init_forms()
        if len(document) > most:
            raise ValueError(f"it has {len(document)} pages, more than {most}")
        out.write(json.dumps({"pages": len(document)}).encode() + b"\n")
        for index in range(len(document)):
            _page(document, index, out)
    except (ValueError, RuntimeError, MemoryError) as error:
        out.write(json.dumps({"error": str(error)[:200] or type(error).__name__}).encode() + b"\n")
    out.flush()


if __name__ == "__main__":
    main()
