"""Coverage-guided fuzzing of de-identification: a reason or a clean copy, never another end.

A copy is clean if it is read again and, outside the pixels, holds no name that stood in the
patient's name.

``pip install atheris`` and ``python tests/fuzz/fuzz_deid.py -max_total_time=600 WORK
tests/vectors/deid`` (libFuzzer's options; new inputs go to WORK). What it finds becomes a file
that `tests/property/deid_corpus.py` makes.
"""

from __future__ import annotations

import dataclasses
import re
import sys
import warnings

import atheris

with atheris.instrument_imports(include=["leadapron.deid", "pydicom"]):
    import pydicom

    from leadapron.deid import MemoryVault, Profile, deidentify
    from leadapron.deid.files import _encoded, parse

from leadapron.model import LeadApronError

NAME = re.compile(rb"(?<![A-Za-z])Kaufman(?![A-Za-z])")
MOST_BYTES, MOST_OUT = 1 << 20, 64 << 20
VAULT = MemoryVault(b"v" * 32)
HEADERS = dataclasses.replace(Profile.gateway(), clean_pixels=False)
# One that may be fuzzed by flags: the first byte of the input chooses the profile.
WAYS = (HEADERS, HEADERS, dataclasses.replace(HEADERS, clean_graphics=True), Profile.basic())


def one_input(data: bytes) -> None:
    """De-identify one input; anything but a LeadApronError or a readable copy is a finding."""
    if not data or len(data) > MOST_BYTES:
        return
    try:
        ds = parse(data)
        known = named(ds)
        result = deidentify(ds, WAYS[data[0] % len(WAYS)], VAULT)
        if result.dataset is None:
            return
        written = _encoded(result.dataset)
    except LeadApronError:
        return
    if len(written) > MOST_OUT:
        raise AssertionError(f"{len(data)} bytes became {len(written)}")
    again = parse(written)
    if known and "PixelData" in again:
        del again.PixelData
        written = _encoded(again)
    if known and NAME.search(written):
        raise AssertionError("the patient's name stayed")


def named(ds: pydicom.Dataset) -> bool:
    """Return whether the corpus's name is the patient's, before anything is changed."""
    element = dict(ds.items()).get(pydicom.tag.BaseTag(0x00100010))
    value = element.value if element is not None else None
    return isinstance(value, bytes) and value.startswith((b"Kaufman^", b"Kaufman "))


def main() -> None:
    warnings.simplefilter("ignore")
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
