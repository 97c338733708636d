"""dciodvfy finds no error in what we write that the original did not have."""

from __future__ import annotations

import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file

from leadapron.app.demo.film import Patient, identified_film
from leadapron.deid import MemoryVault, Profile
from leadapron.edge import Protector, read_part10, write_part10
from leadapron.seal import CentreKeyPair, SealPolicy
from leadapron.seal.unsealing import unseal

pytestmark = pytest.mark.conformance

FILES = ["CT_small.dcm", "MR_small.dcm", "JPEG2000.dcm", "examples_rgb_color.dcm"]


def errors(path: Path) -> Counter[str]:
    tool = shutil.which("dciodvfy")
    if tool is None:
        pytest.skip("dciodvfy is not installed: apt-get install dicom3tools")
    done = subprocess.run([tool, str(path)], capture_output=True, text=True, check=False)
    lines = (done.stdout + done.stderr).splitlines()
    return Counter(line for line in lines if line.startswith("Error"))


@pytest.fixture(scope="module")
def protector() -> Protector:
    from leadapron.anatomy import Segmenter

    return Protector(
        Profile.gateway(),
        MemoryVault(b"v" * 32),
        Segmenter.load(),
        CentreKeyPair.generate(),
        SealPolicy(transfer_syntax="1.2.840.10008.1.2.1"),
    )


@pytest.mark.parametrize("name", ["the demo's film", *FILES])
def test_protected_and_unsealed_objects_have_no_new_error(name, protector, tmp_path):
    original = tmp_path / "original.dcm"
    if name in FILES:
        shutil.copy(get_testdata_file(name), original)
    else:
        identified_film(Patient()).save_as(original, enforce_file_format=True)
    before = errors(original)
    made = protector.protect(read_part10(original.read_bytes())).dataset
    opened = unseal(made, protector.keys)
    for step, dataset in (("protected", made), ("unsealed", opened)):
        path = tmp_path / f"{step}.dcm"
        path.write_bytes(write_part10(dataset))
        new = errors(path) - before
        assert not new, (step, dict(new))
