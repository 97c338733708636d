"""Makes the files of tests/vectors/deid again: ``python tests/property/deid_corpus.py``.

Each is one way in which an object can be hostile or broken; all are synthetic.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "vectors" / "deid"
EXPLICIT, IMPLICIT, BIG = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.2"
DEFLATED, RLE, JPEG, J2K = (
    f"1.2.840.10008.1.2.{x}" for x in ("1.99", "5", "4.50", "4.90")
)  # fmt: skip
CR = b"1.2.840.10008.5.1.4.1.1.1\0"
LONG = (b"OB", b"OW", b"UN", b"SQ", b"UT", b"UC")


def element(tag: int, vr: bytes, value: bytes, *, order: str = "<", length: int = -1) -> bytes:
    size = len(value) if length < 0 else length
    head = struct.pack(f"{order}HH", tag >> 16, tag & 0xFFFF) + vr
    wide = struct.pack(f"{order}HL", 0, size)
    return head + (wide if vr in LONG else struct.pack(f"{order}H", size)) + value


def short(tag: int, value: bytes) -> bytes:
    return struct.pack("<HHL", tag >> 16, tag & 0xFFFF, len(value)) + value


def item(content: bytes, length: int = -1) -> bytes:
    return struct.pack("<HHL", 0xFFFE, 0xE000, len(content) if length < 0 else length) + content


def file(body: bytes, syntax: str = EXPLICIT, preamble: bytes = b"") -> bytes:
    uid = syntax.encode() + b"\0" * (len(syntax) % 2)
    meta = element(0x00020001, b"OB", b"\0\1") + element(0x00020002, b"UI", CR)
    meta += element(0x00020003, b"UI", b"1.2.3.4.5\0") + element(0x00020010, b"UI", uid)
    head = element(0x00020000, b"UL", struct.pack("<L", len(meta)))
    return preamble.ljust(128, b"\0") + b"DICM" + head + meta + body


def base(order: str = "<", **pixels: int) -> bytes:
    parts = [
        element(0x00080016, b"UI", CR, order=order),
        element(0x00080018, b"UI", b"1.2.3.4.5\0", order=order),
        element(0x00100010, b"PN", b"Kaufman^Scott ", order=order),
        element(0x00100020, b"LO", b"6774825273", order=order),
    ]
    if pixels:
        facts = {"samples": (0x00280002, 1), "rows": (0x00280010, 4), "columns": (0x00280011, 4),
                 "bits": (0x00280100, 8), "stored": (0x00280101, 8), "high": (0x00280102, 7),
                 "sign": (0x00280103, 0)}  # fmt: skip
        for name, (tag, usual) in facts.items():
            value = struct.pack(f"{order}H", pixels.get(name, usual))
            parts.append(element(tag, b"US", value, order=order))
            if name == "samples":
                parts.append(element(0x00280004, b"CS", b"MONOCHROME2 ", order=order))
    return b"".join(parts)


NAME = b"Kaufman 6774825273"
WARD = element(0x00081040, b"LO", NAME)


def nested(levels: int, *, undefined: bool) -> bytes:
    content = element(0x00081030, b"LO", NAME)
    for _ in range(levels):
        length = 0xFFFFFFFF if undefined else -1
        close = struct.pack("<HHL", 0xFFFE, 0xE00D, 0) if undefined else b""
        end = struct.pack("<HHL", 0xFFFE, 0xE0DD, 0) if undefined else b""
        content = element(0x00082218, b"SQ", item(content + close, length) + end, length=length)
    return content


def fragments(*frames: bytes) -> bytes:
    parts = b"".join(item(f + b"\0" * (len(f) % 2)) for f in (b"", *frames))
    return element(0x7FE00010, b"OB", parts, length=0xFFFFFFFF) + struct.pack(
        "<HHL", 0xFFFE, 0xE0DD, 0
    )


def jpeg_header(rows: int, columns: int, comment: bytes = b"") -> bytes:
    sof = b"\xff\xc0" + struct.pack(">HBHHB", 11, 8, rows, columns, 1) + b"\x01\x11\x00"
    note = b"\xff\xfe" + struct.pack(">H", len(comment) + 2) + comment if comment else b""
    return b"\xff\xd8" + note + sof + b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00\x00\xff\xd9"


def j2k_header(rows: int, columns: int) -> bytes:
    siz = struct.pack(
        ">HHLLLLLLLLHBBB", 41, 0, columns, rows, 0, 0, columns, rows, 0, 0, 1, 7, 1, 1
    )
    return b"\xff\x4f\xff\x51" + siz + b"\xff\x90\x00\x0a\x00\x00\x00\x00\x00\x00\x00\x01\xff\xd9"


def corpus() -> Iterator[tuple[str, bytes]]:
    """Yield (name, bytes); the part of the name before the first dash is its kind."""
    good = item(element(0x00080104, b"LO", NAME))
    sequence = element(0x00082218, b"SQ", good)
    yield "truncated-in-sequence", file(base() + sequence[:-9])
    yield "truncated-in-value", file(base() + WARD[:-5])
    yield "truncated-in-tag", file(base() + WARD[:3])
    yield (
        "truncated-item-longer-than-sequence",
        file(base() + element(0x00082218, b"SQ", item(element(0x00080104, b"LO", NAME), 9999))),
    )
    yield (
        "truncated-no-delimiter",
        file(base() + element(0x00082218, b"SQ", good, length=0xFFFFFFFF)),
    )
    yield (
        "truncated-length-of-4-gib",
        file(base() + element(0x00082110, b"UT", b"x", length=0xFFFFFFF0)),
    )
    yield "truncated-pixels", file(base(rows=4) + element(0x7FE00010, b"OB", b"\1\2"))
    for vr in (b"OB", b"SQ", b"US", b"FD", b"UI", b"AT", b"??", b"\0\0", b"zz"):
        label = vr.decode("latin-1") if vr.isalpha() else vr.hex()
        yield f"wrongvr-name-{label}", file(base() + element(0x00081030, vr, NAME))
        yield f"wrongvr-sequence-{label}", file(base() + element(0x00082218, vr, good))
    yield (
        "wrongvr-patient-name",
        file(base().replace(b"PN\x0e\0Kaufman^Scott ", b"US\x0e\0Kaufman^Scott ") + WARD),
    )
    yield "odd-length-text", file(base() + element(0x00081030, b"LO", NAME + b"x"))
    yield "odd-length-number", file(base() + element(0x00280010, b"US", b"\1\2\3"))
    yield (
        "odd-length-sequence",
        file(base() + element(0x00082218, b"SQ", item(element(0x00080104, b"LO", NAME + b"x")))),
    )
    twice = element(0x00100010, b"PN", b"Other^Person") + WARD
    yield "duplicate-name-after", file(base() + twice)
    yield "duplicate-name-before", file(element(0x00100010, b"PN", b"Other^Person") + base() + WARD)
    yield "duplicate-description", file(base() + WARD + element(0x00081040, b"LO", b"ward"))
    yield "duplicate-out-of-order", file(WARD + base() + element(0x00080005, b"CS", b"ISO_IR 192"))
    packed = zlib.compressobj(9, zlib.DEFLATED, -15)
    yield "deflated-good", file(packed.compress(base() + WARD) + packed.flush(), DEFLATED)
    yield "deflated-damaged", file(b"\x12\x34\x56\x78" * 40, DEFLATED)
    packed = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = io.BytesIO()
    bomb.write(packed.compress(base() + element(0x00204000, b"UT", b"", length=1 << 30)))
    for _ in range(1024):
        bomb.write(packed.compress(bytes(1 << 20)))
    bomb.write(packed.flush())
    again = zlib.compress(bomb.getvalue(), 9)
    yield "bomb-deflated.z", again  # compressed once more: it stands in the repository
    big = base(">") + element(0x00081040, b"LO", NAME, order=">")
    yield "bigendian-good", file(big, BIG)
    yield "bigendian-truncated", file(big[:-7], BIG)
    yield "bigendian-says-little", file(big, EXPLICIT)
    yield "implicit-says-explicit", file(short(0x00080016, CR) + short(0x00081040, NAME), EXPLICIT)
    yield "implicit-good", file(short(0x00080016, CR) + short(0x00100010, b"Kaufman^Scott ")
                                + short(0x00081040, NAME), IMPLICIT)  # fmt: skip
    creator = element(0x00190010, b"LO", b"GEMS_ACQU_01")
    yield "private-name-in-safe", file(base() + creator + element(0x0019109E, b"LO", NAME))
    yield (
        "private-creator-is-name",
        file(base() + element(0x00190010, b"LO", NAME) + element(0x00191023, b"DS", b"1 ")),
    )
    yield (
        "private-creator-twice",
        file(
            base()
            + element(0x00190010, b"LO", b"ACME")
            + creator
            + element(0x00191023, b"LO", NAME)
        ),
    )
    yield "private-creator-after", file(base() + element(0x00191023, b"LO", NAME) + creator)
    yield "private-sequence-in-un", file(base() + creator + element(0x00191023, b"UN", good))
    yield "private-in-even-group", file(base() + element(0x00180010, b"LO", NAME))
    for name, head in (("exe", b"MZ\x90\0Kaufman"), ("tiff", b"II*\0\x08\0\0\0Kaufman"),
                       ("pdf", b"%PDF-1.4 Kaufman"), ("html", b"<script>'Kaufman'</script>"),
                       ("zip", b"PK\3\4Kaufman")):  # fmt: skip
        yield f"polyglot-{name}", file(base() + WARD, preamble=head)
    yield "polyglot-after-the-end", file(base() + WARD) + b"PK\5\6" + b"Kaufman" * 3
    yield "nesting-100-defined", file(base() + nested(100, undefined=False))
    yield "nesting-100-undefined", file(base() + nested(100, undefined=True))
    yield "nesting-3000-undefined", file(base() + nested(3000, undefined=True))
    yield (
        "bomb-dimensions",
        file(base(rows=65535, columns=65535) + element(0x7FE00010, b"OB", b"\0\0")),
    )
    yield "bomb-jpeg", file(base(rows=4) + fragments(jpeg_header(65500, 65500)), JPEG)
    yield "bomb-jpeg2000", file(base(rows=4) + fragments(j2k_header(2**31 - 1, 2**31 - 1)), J2K)
    run = struct.pack("<16L", 1, 64, *[0] * 14) + b"\x81\0" * 40_000
    yield "bomb-rle", file(base(rows=4) + fragments(run), RLE)
    rows = element(0x00280010, b"US", b"\4\0")
    endless = element(0x00280008, b"IS", b"2147483647") + rows
    pixels = element(0x7FE00010, b"OB", bytes(16))
    yield "bomb-frames", file(base(rows=4).replace(rows, endless) + pixels)
    many = b"".join(item(element(0x00080104, b"LO", b"x ")) for _ in range(20_000))
    yield "bomb-items.z", zlib.compress(file(base() + element(0x00082218, b"SQ", many)), 9)
    yield "comment-jpeg", file(base(rows=4) + fragments(jpeg_header(4, 4, NAME)), JPEG)
    yield "surplus-after-pixels", file(base(rows=4) + element(0x7FE00010, b"OB", bytes(16) + NAME))
    yield "fragments-none", file(base(rows=4) + fragments(), JPEG)
    yield "fragments-cut", file(base(rows=4) + fragments(jpeg_header(4, 4))[:-30], JPEG)
    endless = struct.pack("<HHL", 0x0028, 0x0010, 0xFFFFFFFF) + b"\xff" * 6
    yield (
        "endless-number",
        file(short(0x00080016, CR) + endless + struct.pack("<HHL", 0xFFFE, 0xE0DD, 0), IMPLICIT),
    )
    yield "empty-data-set", file(b"")
    yield "empty-file", b""
    yield "empty-preamble-only", bytes(128) + b"DICM"
    yield (
        "meta-length-too-long",
        file(base()).replace(b"UL\4\0", b"UL\4\0", 1)[:140]
        + b"\xff\xff\xff\x7f"
        + file(base())[144:],
    )
    meta = element(0x00020010, b"UI", BIG.encode() + b"\0")
    yield "meta-in-data-set", file(base() + meta + element(0x00000002, b"UI", CR))
    yield "meta-no-syntax", file(base()).replace(b"1.2.840.10008.1.2.1\0", b"9.9.9.9.9.9.9.9.9.9\0")
    yield "text-with-controls", file(base() + element(0x00081040, b"LO", b"Kauf\0man \x1b$B\x1b(B"))


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, data in corpus():
        (FOLDER / (name if "." in name else f"{name}.dcm")).write_bytes(data)


if __name__ == "__main__":
    main()
