"""Objects that are not pictures: which of them can be cleaned by rule, and which cannot."""

from __future__ import annotations

from pydicom import Dataset

from leadapron.deid.report import Reason

_DOCUMENTS = "1.2.840.10008.5.1.4.1.1.104."
_RAW = "1.2.840.10008.5.1.4.1.1.66"
_DICOMDIR = "1.2.840.10008.1.3.10"
_VIDEO = "1.2.840.10008.1.2.4.10"


def unclean(ds: Dataset) -> Reason | None:
    """Return why this kind of object cannot be proven clean, or None if it can.

    Reports, key objects, presentation states and segmentations are cleaned attribute by
    attribute; documents, raw data, directories and videos hide what no rule reaches.
    """
    sop_class = str(ds.get("SOPClassUID", "") or "")
    meta = getattr(ds, "file_meta", None)
    syntax = str(meta.get("TransferSyntaxUID", "")) if meta is not None else ""
    if sop_class.startswith(_DOCUMENTS) or "EncapsulatedDocument" in ds:
        return Reason("encapsulated-document", "a document inside the object cannot be cleaned")
    if sop_class == _RAW:
        return Reason("raw-data", "raw data hold identity in a vendor's own form")
    if sop_class == _DICOMDIR or "DirectoryRecordSequence" in ds:
        return Reason("media-directory", "a DICOMDIR lists patients by name and file")
    if syntax.startswith(_VIDEO) and len(syntax) == len(_VIDEO) + 1:
        return Reason("video", "text in a video cannot be found frame by frame")
    return None
