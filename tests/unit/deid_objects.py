"""Objects that are no pictures, made for tests: every one full of the same invented identity."""

from __future__ import annotations

import warnings
from io import BytesIO

import pydicom
import typst
from pydicom import Dataset
from pydicom.data import get_testdata_file
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

NAME, GIVEN, CHINESE, NUMBER = "Kaufman", "Scott", "张三丰", "6774825273"
PHONE, WARD, BORN, DONE = "13812345678", "A123456", "19430722", "20130911"
SECRETS = [
    *(s.encode() for s in (NAME, NAME.upper(), GIVEN, NUMBER, PHONE, WARD, BORN, DONE, "Bailey")),
    *(CHINESE.encode(c) for c in ("utf-8", "gb18030", "utf-16-le")),
    b"Francis Medical",
]

CDA = f"""<?xml version="1.0" encoding="UTF-8"?>
<?xml-stylesheet href="http://ward/{NUMBER}.xsl"?>
<!-- {NAME} -->
<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
 <typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/>
 <id root="1.2.3.4.5.6.7.8" extension="{WARD}"/>
 <code code="18748-4" codeSystem="2.16.840.1.113883.6.1" displayName="Diagnostic imaging report"/>
 <title>Chest film of {GIVEN} {NAME}</title>
 <effectiveTime value="{DONE}162658+0800"/>
 <recordTarget><patientRole><id extension="{NUMBER}" root="1.2.3.4.5.6.7.9"/>
  <addr><streetAddressLine>17 Lilac Lane</streetAddressLine><city>Springfield</city></addr>
  <telecom value="tel:{PHONE}"/>
  <patient><name><given>{GIVEN}</given><family>{NAME}</family></name>
   <administrativeGenderCode code="M" codeSystem="2.16.840.1.113883.5.1"/>
   <birthTime value="{BORN}"/></patient></patientRole></recordTarget>
 <author><time value="{DONE}"/><assignedAuthor><id extension="DOC-99881" root="1.2.3.4.5.6.7.1"/>
  <assignedPerson><name>Theresa Bailey</name></assignedPerson>
  <representedOrganization><name>Francis Medical Center</name></representedOrganization>
 </assignedAuthor></author>
 <component><structuredBody><component><section>
  <title>Findings</title>
  <text><paragraph>Heart of normal size; Mr. Kauf<content styleCode="Bold">man</content>'s lungs are
   clear. {CHINESE}，住院号：{WARD}。 Lives at 17 Lilac Lane, call {PHONE}.</paragraph>
   <list><item>Read by Dr. Bailey on 2013-09-11</item></list></text>
  <entry><observation classCode="OBS" moodCode="EVN"><code code="1" codeSystem="2.16.840.1"
   displayName="{NAME} nodule"/>
   <value xsi:type="ST">no nodule in {NAME}</value></observation></entry>
 </section></component></structuredBody></component>
</ClinicalDocument>"""

_TYPST = f"""
= Radiology report
Patient: {GIVEN} {NAME}, ID {NUMBER}, born 1943-07-22

The heart of Mr. {NAME} is of normal size, the lungs are clear, no pleural effusion is seen.

The mediastinum is not widened and the diaphragm is smooth on both sides of the chest.

Call {PHONE}. Referred by Theresa Bailey, Francis Medical Center, on 2013-09-11.
"""


def pdf(text: str = _TYPST) -> bytes:
    """Return a PDF with a text layer."""
    return bytes(typst.compile(text.encode()))


def identified(ds: Dataset) -> Dataset:
    """Give any object the invented identity, in its header and in what others write into it."""
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.PatientName, ds.PatientID = f"{NAME}^{GIVEN}={CHINESE[0]}^{CHINESE[1:]}", NUMBER
    ds.PatientBirthDate, ds.StudyDate, ds.ReferringPhysicianName = BORN, DONE, "Bailey^Theresa"
    ds.InstitutionName, ds.AdmissionID = "Francis Medical Center", WARD
    ds.StudyDescription = f"XR CHEST {GIVEN} {NAME}"
    ds.PatientTelephoneNumbers = PHONE
    return ds


def fresh(sop_class: str, **values: object) -> Dataset:
    """Return a new object of a class with the invented identity."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = sop_class
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4.5.6.1"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = "1.2.3.4.5.6.2", "1.2.3.4.5.6.3"
    ds.Modality = "OT"
    identified(ds)
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    return ds


def sample(name: str) -> Dataset:
    """Return one of pydicom's test files with the invented identity."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return identified(pydicom.dcmread(get_testdata_file(name)))


def reread(ds: Dataset) -> Dataset:
    """Return the object as a receiver reads it."""
    buffer = BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ds.save_as(buffer, enforce_file_format=True)
        return pydicom.dcmread(BytesIO(buffer.getvalue()))


def written(ds: Dataset) -> bytes:
    """Return the object's file."""
    buffer = BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def secrets_in(data: bytes) -> list[bytes]:
    """Return what of the invented identity is left."""
    return [s for s in SECRETS if s in data]


def document(content: bytes, mime: str, kind: int) -> Dataset:
    """Return an encapsulated document (1 PDF, 2 CDA, 3 STL, 4 OBJ, 5 MTL)."""
    return fresh(
        f"1.2.840.10008.5.1.4.1.1.104.{kind}",
        EncapsulatedDocument=content + b"\0" * (len(content) % 2),
        EncapsulatedDocumentLength=len(content),
        MIMETypeOfEncapsulatedDocument=mime,
        DocumentTitle=f"Report of {NAME}",
        BurnedInAnnotation="YES",
    )
