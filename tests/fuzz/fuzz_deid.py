"""Coverage-guided fuzzing of de-identification: a reason or a clean copy, never another end.

``pip install atheris`` and ``python tests/fuzz/fuzz_deid.py -max_total_time=600 WORK
tests/vectors/deid`` (libFuzzer's options; new inputs go to WORK). What it finds becomes a file
that `tests/property/deid_corpus.py` makes.
"""

from __future__ import annotations

import dataclasses
import sys
import warnings

import atheris

with atheris.instrument_imports(include=["leadapron.deid", "pydicom"]):
    import pydicom  # noqa: F401

    from leadapron.deid import MemoryVault, Profile, deidentify
    from leadapron.deid.files import _encoded, parse

from leadapron.model import LeadApronError

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
        result = deidentify(parse(data), WAYS[data[0] % len(WAYS)], VAULT)
        if result.dataset is None:
            return
        written = _encoded(result.dataset)
    except LeadApronError:
        return
    if len(written) > MOST_OUT:
        raise AssertionError(f"{len(data)} bytes became {len(written)}")
    parse(written)


def main() -> None:
    warnings.simplefilter("ignore")
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
