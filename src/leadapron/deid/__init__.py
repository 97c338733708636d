"""De-identification after DICOM PS3.15 Annex E, with keyed pseudonyms and burned-in text."""

from leadapron.deid.api import deidentify
from leadapron.deid.profile import Profile
from leadapron.deid.report import Box, Report, patient_csv, uid_csv
from leadapron.deid.result import DeidResult
from leadapron.deid.vault import Link, MemoryVault, Vault

__all__ = [
    "Box",
    "DeidResult",
    "Link",
    "MemoryVault",
    "Profile",
    "Report",
    "Vault",
    "deidentify",
    "patient_csv",
    "uid_csv",
]
