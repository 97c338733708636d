"""Element values as text, whether still raw or already converted."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence as Many
from typing import Any

from pydicom import Dataset
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence

from leadapron.deid.charsets import CharacterSet
from leadapron.deid.dummies import dummy
from leadapron.deid.rules import CLASS_UIDS

Element = DataElement | RawDataElement
_PADDING = " \0"
_MAX_DEPTH = 64


def texts(element: Element, chars: CharacterSet) -> list[str]:
    """Return the values as text without padding; raw bytes are decoded with `chars`."""
    value: Any = element.value
    if value is None:
        return []
    if isinstance(value, bytes):
        return [v.strip(_PADDING) for v in chars.decode(value).split("\\")]
    many: Many[Any] = value if isinstance(value, (list, tuple, MultiValue)) else (value,)
    return [str(v).strip(_PADDING) for v in many]


def items(element: Element) -> list[Dataset]:
    """Return the items of a sequence element; none if it is empty."""
    return list(element.value or ())


def as_bytes(value: Any) -> bytes:
    """Return a value's bytes for hashing; of a sequence, those of all that stands in it."""
    if isinstance(value, Sequence):
        parts = (t.to_bytes(4, "big") + as_bytes(e.value) for i in value for t, e in i.items())
        return b"\xff\xfe".join(parts)
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


def dummy_item(item: Dataset, map_uid: Callable[[str], str], depth: int = 0) -> Dataset:
    """Return an item of the same structure with dummies as values (code D on a sequence).

    Coded strings, counts (US) and SOP Class UIDs stay: they say what the structure is.
    Other UIDs are mapped, so that references still find their objects.
    """
    out = Dataset()
    for element in item:
        if element.tag.is_private or element.tag.element == 0 or depth > _MAX_DEPTH:
            continue
        out[element.tag] = DataElement(
            element.tag, element.VR, _dummy_value(element, map_uid, depth)
        )
    return out


def _dummy_value(element: DataElement, map_uid: Callable[[str], str], depth: int) -> Any:
    if element.VR == "SQ":
        return Sequence([dummy_item(i, map_uid, depth + 1) for i in element.value])
    if not element.value or element.VR in ("CS", "US") or element.keyword.endswith(CLASS_UIDS):
        return element.value
    if element.VR == "UI":
        values = element.value if element.VM > 1 else [element.value]
        return [map_uid(str(v)) for v in values]
    single = dummy(element.VR)
    return [single] * element.VM if element.VM > 1 else single
