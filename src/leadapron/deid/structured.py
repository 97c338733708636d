"""SR content trees after Table E.3.4-1 (Clean Structured Content Option, PS3.15 E.3.4)."""

from __future__ import annotations

from pydicom import Dataset
from pydicom.sequence import Sequence

from leadapron.deid.dummies import REMOVED
from leadapron.deid.engine import CONTENT_SEQUENCE, Place, Walk
from leadapron.deid.table import content_rows


def clean_content(walk: Walk, content: list[Dataset], place: Place) -> Sequence:
    """Return the cleaned content items below one container, in order.

    An item whose concept has a row follows it: removed, replaced by a dummy, or cleaned.
    Names are replaced and dates moved wherever they stand; texts stay and are swept.
    """
    kept = []
    for index, item in enumerate(content):
        action = _asked(walk, item)
        if action.startswith("X"):
            walk.learn_all(item, place.chars)
            walk.notes.append(f"content item removed: {_concept(item)[1] or 'unnamed'}")
            continue
        here = f"{place.path}{CONTENT_SEQUENCE:08X}[{index}]."
        clean = walk.dataset(item, CONTENT_SEQUENCE, here, place.chars, place.depth + 1)
        kept.append(_dummied(clean) if action == "D" else clean)
    return Sequence(kept)


def _asked(walk: Walk, item: Dataset) -> str:
    if not walk.profile.clean_structured_content:
        return "D"
    row = content_rows().get(_concept(item))
    return row.asked(walk.profile) if row else "C"


def _concept(item: Dataset) -> tuple[str, str]:
    names = item.get("ConceptNameCodeSequence")
    if not names:
        return "", ""
    return str(names[0].get("CodingSchemeDesignator", "")), str(names[0].get("CodeValue", ""))


def _dummied(item: Dataset) -> Dataset:
    """Replace a text or code by a dummy; names, dates and UIDs have rows of their own."""
    if item.get("TextValue"):
        item.TextValue = REMOVED
    for code in item.get("ConceptCodeSequence") or ():
        code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "0", "99REMOVED", REMOVED
    return item
