"""Reasons in both languages; the sentences are data (reasons.json)."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from leadapron.model import Reason, Region
from leadapron.policy import resources


@cache
def _sentences() -> dict[str, dict[str, str]]:
    return dict(resources.data("reasons.json"))


def known(code: str) -> bool:
    """Tell whether the code has a sentence."""
    return code in _sentences()


def priority(code: str) -> int:
    """Return the code's place in reasons.json: the first reason told is the most basic one."""
    order = list(_sentences())
    return order.index(code) if code in order else len(order)


def reason(code: str, *, fields_zh: dict[str, str] | None = None, **fields: str) -> Reason:
    """Return the reason with its sentences filled in; `fields_zh` overrides `fields` in zh."""
    sentence = _sentences()[code]
    return Reason(
        code,
        sentence["en"].format(**fields),
        sentence["zh"].format(**{**fields, **(fields_zh or {})}),
    )


def about_regions(code: str, regions: Iterable[Region]) -> Reason:
    """Return a reason whose sentence lists regions, in the vocabulary's order."""
    named = set(regions)
    listed = [region.coded for region in Region if region in named]
    english = ", ".join(c.meaning.lower() for c in listed)
    return reason(code, regions=english, fields_zh={"regions": "、".join(c.zh for c in listed)})
