"""De-identified objects of many kinds keep their IODs: dciodvfy finds no new error."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "unit"))
from deid_objects import CDA, document, pdf, reread, sample
from test_deid_objects import OBJECTS, OPTIONS

from leadapron.deid import MemoryVault, deidentify
from leadapron.deid.table import row_for

pytestmark = pytest.mark.conformance
UID = re.compile(r"<[\d.]+>")
MORE = {
    "PDF": lambda: document(pdf(), "application/pdf", 1),
    "CDA": lambda: document(CDA.encode(), "text/xml", 2),
    "CT": lambda: sample("CT_small.dcm"),
    "MR": lambda: sample("MR_small.dcm"),
}


def errors(path: Path) -> Counter[str]:
    done = subprocess.run(
        ["dciodvfy", "-new", str(path)], capture_output=True, text=True, errors="replace",
        check=False,
    )  # fmt: skip
    lines = (UID.sub("<a UID>", line) for line in done.stderr.splitlines())
    return Counter(line for line in lines if line.startswith("Error"))


def asked_for(line: str) -> bool:
    """Return whether the table's own X removes what the IOD requires."""
    missing = "Missing attribute for Type 1 Required" in line or "condition unsatisfied" in line
    named = re.findall(r"\((\w{4}),(\w{4})\)", line)
    row = row_for(int("".join(named[-1]), 16)) if missing and named else None
    return row is not None and row.basic == "X"


@pytest.mark.skipif(not shutil.which("dciodvfy"), reason="dciodvfy (dicom3tools) is not installed")
@pytest.mark.parametrize("profile", ["gateway", "basic", "graphics"])
@pytest.mark.parametrize("kind", [*OBJECTS, *MORE])
def test_no_new_iod_errors(kind: str, profile: str, tmp_path: Path) -> None:
    ds = reread({**OBJECTS, **MORE}[kind]())
    ds.save_as(tmp_path / "in.dcm", enforce_file_format=True)
    out = deidentify(ds, OPTIONS[profile], MemoryVault(b"k" * 32)).require()
    out.save_as(tmp_path / "out.dcm", enforce_file_format=True)
    new = errors(tmp_path / "out.dcm") - errors(tmp_path / "in.dcm")
    assert not [line for line in new if not asked_for(line)]
