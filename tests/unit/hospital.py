"""A small hospital for tests: real instance, real de-identification and seal, tiny films."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian, generate_uid

from leadapron.app.identity_key import identity_certificate
from leadapron.app.instance import CENTRE_PUBLIC, Instance
from leadapron.app.settings import Settings
from leadapron.archive import Film
from leadapron.deid import Profile, deidentify
from leadapron.edge import write_part10
from leadapron.model import Order, Recipient, RegionMap, Role
from leadapron.seal import CentrePublicKey, SealPolicy, seal

SIDE = 128
PROFILE = replace(Profile.gateway(), clean_pixels=False)
PEOPLE = {
    "sun": Role.PRIVACY_OFFICER,
    "qian": Role.PRIVACY_OFFICER,
    "chen": Role.RADIOLOGIST,
    "liu": Role.RADIOLOGIST,
    "admin": Role.PACS_ADMIN,
}


@dataclass
class Hospital:
    here: Instance
    real_dates: dict[str, date] = field(default_factory=dict)
    numbers: dict[str, str] = field(default_factory=dict)

    def film(
        self,
        number: str,
        name: str = "张^三",
        day: date = date(2026, 3, 2),
        study: str = "",
        *,
        encrypted: bool = False,
    ) -> Film:
        """Send a film through gateway and archive; `study` is a real (unmapped) UID.

        With `encrypted` the object carries its identity for the centre's certificate.
        """
        ds = _raw_film(number, name, day, study or generate_uid())
        profile = PROFILE
        if encrypted:
            profile = replace(profile, recipients=(identity_certificate(self.here.keystore),))
        result = deidentify(ds, profile, self.here.vault)
        clean = result.require()
        key = CentrePublicKey.from_bytes(self.here.keystore.get(CENTRE_PUBLIC))
        sealed = seal(clean, RegionMap.whole((SIDE, SIDE), "test"), SealPolicy(), key)
        film = self.here.archive.ingest(write_part10(sealed)).film
        self.real_dates[film.sop_instance] = day
        self.numbers[film.sop_instance] = number
        return film

    def own(self, number: str) -> str:
        """Return the pseudonym that the key alone makes."""
        return self.here.vault.own_pseudonym("patient", number)

    def order(self, reader: str, patient: str, study: str = "") -> None:
        """Give a reader an order that shows whole films, as these are out of domain."""
        now = datetime.now(UTC)
        self.here.policy.add_order(
            Order(
                f"O-{reader}-{patient}-{study[-6:]}", patient, "", "other_projection",
                frozenset({reader}), now - timedelta(hours=1), now + timedelta(hours=1), study,
            )
        )  # fmt: skip

    def current(self, film: Film) -> Film:
        """Return the film as the catalogue has it now."""
        return self.here.archive.get(film.sop_instance)

    def shifted(self, film: Film, number: str) -> str:
        """Return the study date that a film must have under a patient's number."""
        days = self.here.vault.own_shift_days(number)
        return (self.real_dates[film.sop_instance] + timedelta(days=days)).strftime("%Y%m%d")

    def kinds(self) -> list[str]:
        """Return the kinds of all log entries."""
        return [str(entry["kind"]) for entry in self.here.ledger.entries()]

    def consent(self, asked) -> str:
        """Let the second privacy officer approve; return the approval's number."""
        self.here.approvals.approve(asked.id, "qian")
        return asked.id


@contextlib.contextmanager
def hospital(folder: Path, **settings: object) -> Iterator[Hospital]:
    """Open a hospital below `folder` with its people."""
    chosen = Settings(data=folder / "data", keys=folder / "keys", **settings)
    with Instance.open(chosen) as here:
        for person, role in PEOPLE.items():
            here.policy.add_recipient(Recipient(person, role, "", person))
            here.accounts.issue("reader", person)
        yield Hospital(here)


def _raw_film(number: str, name: str, day: date, study: str) -> Dataset:
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID = ComputedRadiographyImageStorage
    ds.SOPInstanceUID = generate_uid()
    ds.StudyInstanceUID, ds.SeriesInstanceUID = study, generate_uid()
    ds.StudyDate = ds.SeriesDate = day.strftime("%Y%m%d")
    ds.StudyTime = "101112"
    ds.AcquisitionDateTime = day.strftime("%Y%m%d") + "101112.5"
    ds.PatientName, ds.PatientID, ds.PatientSex = name, number, "F"
    ds.PatientBirthDate = "19700102"
    ds.AccessionNumber, ds.Modality = f"ACC{number}"[:16], "CR"
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    ds.ReferencedImageSequence = [item]
    ds.Rows = ds.Columns = SIDE
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    rows = np.arange(SIDE * SIDE, dtype=np.uint32).reshape(SIDE, SIDE) % 4096
    ds.PixelData = rows.astype(np.uint16).tobytes()
    return ds
