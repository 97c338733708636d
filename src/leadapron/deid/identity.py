"""Which attributes hold identity, and of which kind: the places the sweep learns from."""

from __future__ import annotations

from pydicom.datadict import tag_for_keyword

PATIENT_NAME, PATIENT_ID, BIRTH_DATE = 0x00100010, 0x00100020, 0x00100030
ISSUER, SEX, AGE, ACCESSION = 0x00100021, 0x00100040, 0x00101010, 0x00080050
STUDY_UID, SERIES_UID, INSTANCE_UID, SOP_CLASS = 0x0020000D, 0x0020000E, 0x00080018, 0x00080016


def _tags(*keywords: str) -> frozenset[int]:
    return frozenset(t for t in (tag_for_keyword(k) for k in keywords) if t is not None)


IDS = _tags(
    "PatientID", "OtherPatientIDs", "AccessionNumber", "StudyID", "AdmissionID",
    "ServiceEpisodeID", "RequestedProcedureID", "ScheduledProcedureStepID",
    "PerformedProcedureStepID", "FillerOrderNumberImagingServiceRequest",
    "PlacerOrderNumberImagingServiceRequest", "PlacerOrderNumberProcedure",
    "FillerOrderNumberProcedure", "MedicalRecordLocator", "DeviceSerialNumber", "PlateID",
    "CassetteID", "DetectorID", "GantryID", "GeneratorID", "PatientTelephoneNumbers",
    "ReferringPhysicianTelephoneNumbers", "PersonTelephoneNumbers", "OrderCallbackPhoneNumber",
    "ClinicalTrialSubjectID", "ClinicalTrialSubjectReadingID", "InsurancePlanIdentification",
    "SpecimenIdentifier", "ContainerIdentifier", "SpecimenAccessionNumber", "StationName",
    "PerformedStationName", "ScheduledStationName", "InterpretationID", "BarcodeValue",
    "PerformedStationAETitle", "ScheduledStationAETitle", "StationAETitle",
)  # fmt: skip
PHRASES = _tags(
    "InstitutionName", "InstitutionAddress", "PatientAddress", "ReferringPhysicianAddress",
    "PersonAddress", "InstitutionalDepartmentName", "Occupation", "RegionOfResidence",
    "PatientReligiousPreference", "PatientTelecomInformation", "PersonTelecomInformation",
    "CurrentPatientLocation", "RequestedProcedureLocation", "PerformedLocation",
    "ScheduledProcedureStepLocation", "RequestingService", "PatientInstitutionResidence",
    "ResponsibleOrganization", "ClinicalTrialSiteName", "BranchOfService",
    "DistributionAddress", "IssuerOfPatientID", "EthnicGroup",
)  # fmt: skip
DATE_VRS = frozenset({"DA", "DT"})
