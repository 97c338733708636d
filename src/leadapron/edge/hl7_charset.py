"""Which codec a message's bytes are in (MSH-18, HL70211).

GB 18030 and Big5 put bytes into characters that look like HL7's separators (``|`` is 7C, ``^`` is
5E, the backslash is 5C), so the codec has to be known before anything is split.
"""

from __future__ import annotations

_CODECS = {
    "ASCII": "ascii",
    "UNICODE UTF-8": "utf-8",
    "UTF-8": "utf-8",
    "UTF8": "utf-8",
    "GB 18030-2000": "gb18030",
    "GB18030": "gb18030",
    "GBK": "gb18030",
    "GB2312": "gb18030",
    "BIG-5": "big5",
    "BIG5": "big5",
    **{f"8859/{part}": f"iso8859-{part}" for part in (1, 2, 3, 4, 5, 6, 7, 8, 9, 15)},
}
_NAMES = {"ascii": "ASCII", "utf-8": "UNICODE UTF-8", "gb18030": "GB 18030-2000", "big5": "BIG-5"}
_FIELD = 18


def charset_of(raw: bytes, default: str) -> str | None:
    """Return the codec that the header, read in it, names; `default` when it names none.

    None: the header names one that is not supported, or is not in the one it names.
    """
    line = raw.split(b"\r", 1)[0].split(b"\n", 1)[0]
    for codec in dict.fromkeys([default, "utf-8", "gb18030", "big5", *_CODECS.values()]):
        try:
            header = line.decode(codec)
        except UnicodeDecodeError:
            continue
        named = _named(header)
        if named in ("", codec):
            return default if named == "" else codec
    return None


def name_of(codec: str) -> str:
    """Return what MSH-18 says for a codec."""
    return _NAMES.get(codec, codec.replace("iso8859-", "8859/"))


def _named(header: str) -> str | None:
    """Return the codec that a decoded header names, "" for none, None for an unknown one.

    Of several (2.16.9.18) the last one that is not ASCII: all supported ones contain ASCII.
    """
    fields = header.split(header[3])
    # MSH-1 is the separator itself: MSH-18 is the 17th part after the name.
    value = fields[_FIELD - 1] if len(fields) >= _FIELD else ""
    repeat = fields[1][1:2] if len(fields) > 1 else "~"
    names = [part.strip().upper() for part in value.split(repeat or "~") if part.strip()]
    if not names:
        return ""
    codecs = [_CODECS.get(name) for name in names]
    if None in codecs:
        return None
    return next((c for c in reversed(codecs) if c and c != "ascii"), "ascii")
