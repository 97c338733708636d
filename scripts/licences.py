"""Write docs/licences.md: every package that an installation or the console's build contains.

Usage: python scripts/licences.py [--check]      (in the environment that the launcher made)

Exits 1 if a licence is not on the list of those that Apache-2.0 work may be shipped with,
or, with --check, if the page is not what it would write.
"""

from __future__ import annotations

import json
import re
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "licences.md"
COMPATIBLE = frozenset(
    [
        *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "BlueOak-1.0.0"),
        *("CC-BY-4.0", "CC0-1.0", "ISC", "MIT", "MIT-0", "MIT-CMU", "MPL-2.0", "OFL-1.1"),
        *("PSF-2.0", "Python-2.0", "Unlicense", "WTFPL", "Zlib"),
    ]
)
# What the metadata says in words of its own, or not at all (read from the licence file then).
SPELT = {
    "Apache 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "3-Clause BSD License": "BSD-3-Clause",
    "ISC License": "ISC",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "SIL Open Font License 1.1 (OFL-1.1)": "OFL-1.1",
}
READ_IN_FILE = {
    "cedarpy": "Apache-2.0",
    "jinja2": "BSD-3-Clause",
    "omegaconf": "BSD-3-Clause",
    "pypdfium2": "Apache-2.0 OR BSD-3-Clause",
    "rechoir": "MIT",
    "scipy": "BSD-3-Clause",
}
NOTES = {
    "certifi": "unchanged, as a package of its own",
    "opencv-python-headless": "its wheel carries FFmpeg libraries under LGPL-2.1-or-later, "
    "linked dynamically",
    "pi-heif": "its wheel carries libheif and libde265 under LGPL-3.0, linked dynamically",
    "pylopdf-fonts-zh-cn": "fonts",
    "pydicom-data": "the demo's film",
    "pypdfium2": "its wheel carries PDFium (BSD, Apache-2.0) with FreeType, libjpeg-turbo, "
    "OpenJPEG, Little CMS, libpng, libtiff, ICU and zlib under their own permissive licences",
    "tqdm": "unchanged, as a package of its own",
    "rapidocr": "carries the PP-OCR models (Apache-2.0)",
}


def python_packages() -> dict[str, str]:
    """Return name to SPDX expression for every pinned run-time package."""
    lock = (ROOT / "constraints" / "runtime.txt").read_text()
    names = sorted(set(re.findall(r"^([a-z0-9-]+)==", lock, re.MULTILINE)))
    return {name: _licence(name) for name in names}


def _licence(name: str) -> str:
    if name in READ_IN_FILE:
        return READ_IN_FILE[name]
    try:
        metadata = distribution(name).metadata
    except PackageNotFoundError:
        return "not installed on this platform"
    if expression := metadata.get("License-Expression"):
        return str(expression)
    classifiers = [
        line.rsplit(" :: ", 1)[-1]
        for line in metadata.get_all("Classifier") or ()
        if line.startswith("License :: ")
    ]
    for said in [str(metadata.get("License") or ""), *classifiers]:
        spelt = SPELT.get(said, said)
        if terms(spelt) and terms(spelt) <= COMPATIBLE:
            return spelt
    return classifiers[0] if classifiers else "unknown"


def console_packages() -> dict[str, str]:
    """Return name to SPDX expression for every npm package that the console's build may contain."""
    lock = ROOT / "web" / "package-lock.json"
    if not lock.is_file():
        return {}
    found = {}
    for path, entry in json.loads(lock.read_text())["packages"].items():
        if path and not entry.get("dev") and not entry.get("devOptional"):
            name = path.rsplit("node_modules/", 1)[-1]
            found[name] = READ_IN_FILE.get(name) or str(entry.get("license", "unknown"))
    return dict(sorted(found.items()))


def terms(expression: str) -> set[str]:
    """Return the licences that an SPDX expression names."""
    return set(re.findall(r"[\w.+-]+", expression)) - {"AND", "OR", "WITH"}


def incompatible(packages: dict[str, str]) -> dict[str, str]:
    """Return the packages whose licence Apache-2.0 work may not be shipped with."""
    return {name: said for name, said in packages.items() if not terms(said) <= COMPATIBLE}


def page(python: dict[str, str], console: dict[str, str]) -> str:
    """Return the page as Markdown."""
    lines = [
        "# Licences",
        "",
        "LeadApron is Apache-2.0 (`LICENSE`); `NOTICE` names what it carries of others.",
        "`scripts/licences.py` writes this page; a test fails when a package is missing here or",
        "its licence is not compatible. Versions and hashes are in `constraints/`.",
        "",
        f"## Python packages of an installation ({len(python)})",
        "",
        "| package | licence | note |",
        "|---|---|---|",
        *(f"| {name} | {said} | {NOTES.get(name, '')} |" for name, said in python.items()),
        "",
        "psycopg, web3 and other optional drivers are not part of an installation.",
        "Tools that only tests use (one of them, pymerkle, is GPL-3.0-or-later) are not shipped.",
        "",
        f"## Packages that the console is built from ({len(console)})",
        "",
        "| package | licence |",
        "|---|---|",
        *(f"| {name} | {said} |" for name, said in console.items()),
    ]
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    """Write or check the page; return the exit code."""
    python, console = python_packages(), console_packages()
    text = page(python, console)
    refused = incompatible(python | console)
    for name, said in refused.items():
        print(f"{name}: {said} is not on the list of compatible licences", file=sys.stderr)
    if "--check" not in arguments:
        PAGE.write_text(text)
    elif not PAGE.is_file() or PAGE.read_text() != text:
        print("docs/licences.md is old: run scripts/licences.py", file=sys.stderr)
        return 1
    return int(bool(refused))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
