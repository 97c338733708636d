"""Objects that no rule can clean: each kind with its reason."""

from __future__ import annotations

import re

from pydicom import Dataset
from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.tag import BaseTag
from pydicom.uid import UID_dictionary

from leadapron.deid.documents import is_document
from leadapron.deid.engine import ENCAPSULATED_DOCUMENT
from leadapron.deid.frames import syntax
from leadapron.deid.report import Reason

_UID = re.compile(r"[\d.]{1,64}")
_RAW = "1.2.840.10008.5.1.4.1.1.66"
_AUDIO = "1.2.840.10008.5.1.4.1.1.9.4."
_MODELS = frozenset(f"1.2.840.10008.5.1.4.1.1.104.{n}" for n in (3, 4, 5))
_DICOMDIR = "1.2.840.10008.1.3.10"
_VIDEO = ("1.2.840.10008.1.2.4.10", "1.2.840.10008.1.2.7.")
_RECORDS = 0x00041220
_PIXEL_GROUP = 0x7FE0
_OPAQUE = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
_NUMBERS_ONLY = frozenset({0x00281201, 0x00281202, 0x00281203, 0x00281204, 0x00283006})

_REASONS = {
    "raw": Reason("raw-data", "raw data hold identity in a vendor's own form"),
    "audio": Reason("audio", "a recording may speak the patient's name"),
    "directory": Reason("media-directory", "a DICOMDIR lists patients by name and file"),
    "video": Reason("video", "text in a video cannot be found frame by frame"),
    "model": Reason("encapsulated-model", "a printable model may carry text in its own form"),
    "class": Reason("unknown-sop-class", "the SOP Class is no UID"),
    "empty": Reason("encapsulated-document", "the object holds no document"),
}


def unclean(ds: Dataset) -> Reason | None:
    """Return why this kind of object cannot be proven clean, or None if it can.

    Reports, key objects, presentation states, segmentations, waveforms, plans and doses are
    cleaned attribute by attribute, PDF and CDA by their own rules; raw data, sound, directories,
    videos and models hide what no rule reaches.
    """
    sop_class = str(ds.get("SOPClassUID", "") or "").strip(" \0")
    used = syntax(ds)
    for matches, reason in (
        (sop_class == _RAW, _REASONS["raw"]),
        (sop_class.startswith(_AUDIO), _REASONS["audio"]),
        (sop_class == _DICOMDIR or _RECORDS in ds, _REASONS["directory"]),
        (used.startswith(_VIDEO), _REASONS["video"]),
        (sop_class in _MODELS, _REASONS["model"]),
        (is_document(sop_class) and not ds.get(ENCAPSULATED_DOCUMENT), _REASONS["empty"]),
    ):
        if matches:
            return reason
    if sop_class and not _UID.fullmatch(sop_class):
        return _REASONS["class"]
    if sop_class and sop_class not in UID_dictionary:
        return _opaque(ds)
    return None


def _opaque(ds: Dataset) -> Reason | None:
    """Return a reason if an object of an unknown class has values that no rule describes."""
    for tag in ds.keys():  # noqa: SIM118 - no decoding
        if tag.is_private or tag.group == _PIXEL_GROUP or tag in _NUMBERS_ONLY:
            continue
        vr = ds.get_item(tag).VR or (dictionary_VR(tag) if dictionary_has_tag(tag) else "UN")
        if vr in _OPAQUE and dictionary_has_tag(tag):
            name = BaseTag(tag)
            return Reason(
                "unknown-sop-class", f"an unknown SOP Class with a binary value at {name}"
            )
    return None
