"""Make the seal vectors again (they change: keys and nonces are random).

python tests/vectors/seal/make.py
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import pydicom
from pydicom.data import get_testdata_file

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1] / "unit"))

from seal_films import film, noise, regions  # noqa: E402

from leadapron.model import Region  # noqa: E402
from leadapron.seal import (  # noqa: E402
    CentreKeyPair,
    PatientKey,
    SealPolicy,
    inspect,
    open_frame,
    rewrap,
    seal,
)

SHAPE = (40, 52)


def main() -> None:
    pair = CentreKeyPair.generate()
    patient = PatientKey.generate("vector")
    (HERE / "centre.private").write_bytes(pair.to_pem())
    (HERE / "centre.public").write_bytes(pair.public.to_pem())
    one = film(noise(SHAPE, 12, signed=True), bits_stored=12)
    words = np.random.default_rng(2).integers(0, 2**16, (3, *SHAPE)).astype("u2")
    known = regions(*SHAPE)
    jpeg = pydicom.dcmread(get_testdata_file("SC_rgb_jpeg_gdcm.dcm"))
    heart = SealPolicy(profile="regions", regions=frozenset({Region.HEART}))
    colour = film(noise((*SHAPE, 3), 8), photometric="RGB")
    sealed = {
        "aes": seal(one, known, None, pair.public),
        "sm4": seal(one, known, SealPolicy(suite="SM4GCM_SM3"), pair.public),
        "frames": seal(film(words, bits_stored=12, frames=3), [known, None, known], None, pair),
        "colour": seal(colour, None, None, pair),
        "jpeg": seal(jpeg, None, None, pair),
        "regions": seal(one, known, heart, pair),
    }
    expected = {"patient": {"name": patient.name, "key": patient.secret.hex()}, "objects": {}}
    for name, ds in sealed.items():
        ds.save_as(HERE / f"{name}.dcm", enforce_file_format=True)
        manifest = inspect(ds, pair)
        opened = {
            str(r): hashlib.sha256(open_frame(ds, pair, [r]).pixels.tobytes()).hexdigest()
            for r in manifest.regions
            if manifest.form == "pixels"
        }
        expected["objects"][name] = {
            "frames": [f.sha256 for f in manifest.frames],
            "regions_of_frame_1": opened,
        }
    rewrap(sealed["aes"], pair, patient).save_as(HERE / "patient.dcm", enforce_file_format=True)
    (HERE / "expected.json").write_text(json.dumps(expected, indent=2) + "\n")


if __name__ == "__main__":
    main()
