"""dciodvfy (dicom3tools) finds no error in a sealed object that the original did not have."""

from __future__ import annotations

import shutil
import subprocess
from collections import Counter

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.uid import ExplicitVRLittleEndian

from leadapron.model import Region, RegionMap
from leadapron.seal import CentreKeyPair, SealPolicy, inspect, seal, unseal

pytestmark = pytest.mark.conformance
KEYS = CentreKeyPair.generate()


def errors(path) -> Counter[str]:
    run = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False)
    return Counter(x for x in (run.stdout + run.stderr).splitlines() if x.startswith("Error"))


@pytest.mark.parametrize(
    "name", ["RG1_UNCI.dcm", "CT_small.dcm", "MR_small.dcm", "693_UNCI.dcm", "SC_rgb.dcm"]
)
def test_no_new_error(name, tmp_path):
    if shutil.which("dciodvfy") is None:
        pytest.skip("dciodvfy (Debian package dicom3tools) is not installed")
    path = get_testdata_file(name, download=False)
    if path is None:
        pytest.skip(f"{name} is not among the installed test files of pydicom")
    ds = pydicom.dcmread(path)
    whole = RegionMap.whole((ds.Rows, ds.Columns))
    masks = {Region.HEART: whole.masks[Region.OUTSIDE].copy()}
    masks[Region.HEART][: ds.Rows // 2] = False
    # Debian's dciodvfy predates HTJ2K and reads no object in it, so it judges the same
    # header with the flat picture uncompressed.
    policy = SealPolicy(transfer_syntax=ExplicitVRLittleEndian)
    sealed = seal(ds, RegionMap(whole.shape, masks, {}), policy, KEYS.public)
    sealed.save_as(tmp_path / "sealed.dcm", enforce_file_format=True)
    region = inspect(sealed, KEYS).regions[0]
    unseal(sealed, KEYS, [region]).save_as(tmp_path / "view.dcm", enforce_file_format=True)
    had = errors(path)
    assert errors(tmp_path / "sealed.dcm") - had == Counter()
    assert errors(tmp_path / "view.dcm") - had == Counter()
