"""Dummy values by VR (PS3.15 E.1.1, code D): valid, constant, meaningless."""

from __future__ import annotations

from typing import Any

from pydicom.valuerep import VR

REMOVED = "REMOVED"

_BY_VR: dict[str, Any] = {
    VR.AE: REMOVED,
    VR.AS: "000Y",
    VR.CS: REMOVED,
    VR.DA: "19000101",
    VR.DS: "0",
    VR.DT: "19000101000000",
    VR.FD: 0.0,
    VR.FL: 0.0,
    VR.IS: "0",
    VR.LO: REMOVED,
    VR.LT: REMOVED,
    VR.OB: b"\0\0",
    VR.OD: bytes(8),
    VR.OF: bytes(4),
    VR.OL: bytes(4),
    VR.OV: bytes(8),
    VR.OW: b"\0\0",
    VR.PN: REMOVED,
    VR.SH: REMOVED,
    VR.SL: 0,
    VR.SS: 0,
    VR.ST: REMOVED,
    VR.SV: 0,
    VR.TM: "000000",
    VR.UC: REMOVED,
    VR.UI: "2.25.0",
    VR.UL: 0,
    VR.UN: b"\0\0",
    VR.UR: "urn:removed",
    VR.US: 0,
    VR.UT: REMOVED,
    VR.UV: 0,
}


def dummy(vr: str) -> Any:
    """Return the dummy of a VR; ambiguous VRs (``US or SS``) take the first."""
    return _BY_VR.get(vr.split(" ", maxsplit=1)[0], b"\0\0")
