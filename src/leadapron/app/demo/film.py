"""A real chest film that gets an invented patient, on the page and in the pixels."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import pydicom
from PIL import Image, ImageDraw, ImageFont
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from leadapron.model import NotFound

SOURCE = "RG1_UNCI.dcm"
PRIVATE_CREATOR = "HOSPITAL RIS 1.0"
_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


@dataclass(frozen=True)
class Patient:
    """An invented person; no such identity card exists (area code 999999 is unassigned)."""

    family: str = "欧阳"
    given: str = "晓岚"
    latin: str = "Ouyang^Xiaolan"
    patient_id: str = "ZY20260417"
    born: date = date(1968, 3, 9)
    phone: str = "13900001234"
    address: str = "示范市铅衣区防护路12号3单元501室"
    accession: str = "DR2611230088"

    @property
    def name(self) -> str:
        """Family and given name together."""
        return self.family + self.given

    @property
    def id_card(self) -> str:
        """18 digits with a correct check character (GB 11643-1999)."""
        body = f"999999{self.born:%Y%m%d}042"
        total = sum(int(d) * w for d, w in zip(body, _ID_WEIGHTS, strict=True))
        return body + "10X98765432"[total % 11]

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must be nowhere in a stored or delivered object."""
        return (
            self.name,
            self.latin.replace("^", " "),
            "Ouyang",
            self.patient_id,
            self.phone,
            self.id_card,
            self.address,
            self.accession,
        )


def identified_film(patient: Patient) -> Dataset:
    """Return the real CR film as a hospital's modality would send it, identity burned in."""
    path = get_testdata_file(SOURCE, download=False)
    if path is None:
        raise NotFound(
            f"the demo's real film {SOURCE} is not installed",
            remedy="pip install 'leadapron[demo]', or start it with ./leadapron demo",
        )
    film = pydicom.dcmread(str(path))
    pixels = film.pixel_array.copy()
    _write_identity(film, patient)
    film.PixelData = burn_in(pixels, patient, film.BitsStored).tobytes()
    film["PixelData"].VR = "OW"
    return film


def _write_identity(film: Dataset, patient: Patient) -> None:
    film.SpecificCharacterSet = "GB18030"
    film.PatientName = f"{patient.latin}={patient.family}^{patient.given}"
    film.PatientID = patient.patient_id
    film.OtherPatientIDs = patient.id_card
    film.PatientBirthDate = f"{patient.born:%Y%m%d}"
    film.PatientTelephoneNumbers = patient.phone
    film.PatientAddress = patient.address
    film.AccessionNumber = patient.accession
    film.InstitutionName = "示范市第一人民医院"
    film.ReferringPhysicianName = "Wang^Jianguo=王^建国"
    film.StudyDescription = f"胸部正位 {patient.name} 门诊"
    film.ImageComments = f"{patient.name} {patient.phone} 复查"
    film.StudyInstanceUID, film.SeriesInstanceUID = generate_uid(), generate_uid()
    film.SOPInstanceUID = generate_uid()
    film.file_meta.MediaStorageSOPInstanceUID = film.SOPInstanceUID
    film.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    block = film.private_block(0x0099, PRIVATE_CREATOR, create=True)
    block.add_new(0x01, "LO", patient.name)
    block.add_new(0x02, "LO", patient.id_card)


def burn_in(
    pixels: npt.NDArray[np.uint16], patient: Patient, bits_stored: int
) -> npt.NDArray[np.uint16]:
    """Return the film with name, number and date in the corner, as a CR reader prints them.

    White on a MONOCHROME1 film is the value 0.
    """
    from pylopdf_fonts_zh_cn import sans_path

    canvas = Image.new("L", (pixels.shape[1], pixels.shape[0]), 0)
    draw = ImageDraw.Draw(canvas)
    font = ImageFont.truetype(str(sans_path()), 36)
    lines = (
        f"姓名: {patient.name}  女  58岁",
        f"ID: {patient.patient_id}",
        "2026-11-23 08:41  DR-02",
    )
    for number, line in enumerate(lines):
        draw.text((40, 20 + 46 * number), line, fill=255, font=font)
    draw.text((pixels.shape[1] - 120, 60), "L", fill=255, font=ImageFont.truetype(font.path, 80))
    ink = np.asarray(canvas, dtype=np.float32) / 255
    burned = pixels.astype(np.float32) * (1 - ink)
    return np.clip(burned, 0, (1 << bits_stored) - 1).astype(np.uint16)
