"""The playbook (处置预案), the levels and the law behind them: data, read and checked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from importlib.resources import files
from typing import Any

from leadapron.model import BadInput, NotFound


@dataclass(frozen=True)
class Impact:
    """What is known of the harm.

    persons: how many people's films are out (at least 0).
    sensitivity: ``identified``, ``pseudonymous`` or ``sealed``.
    insider: whether somebody's duty gave them the films.
    """

    persons: int = 1
    sensitivity: str = "pseudonymous"
    insider: bool = False

    def __post_init__(self) -> None:
        """Refuse what the rule table does not know."""
        if self.persons < 0 or self.sensitivity not in _data("levels.json")["sensitivities"]:
            known = ", ".join(_data("levels.json")["sensitivities"])
            raise BadInput(
                "the impact of a case needs a number of persons and a known sensitivity",
                remedy=f"persons ≥ 0; sensitivity is one of: {known}",
            )


@dataclass(frozen=True)
class Level:
    """A level with the keys of the articles that its threshold comes from."""

    code: str
    basis: tuple[str, ...] = ()


@dataclass(frozen=True)
class Article:
    """A legal basis. `status`: ``read``, ``secondary`` or ``inferred`` (then see `remark`)."""

    key: str
    instrument_en: str
    instrument_zh: str
    article: str
    effective: str
    status: str
    source: str
    en: str
    zh: str
    remark: str = ""


@dataclass(frozen=True)
class Step:
    """A step of the playbook; `when` limits it to some impacts."""

    code: str
    en: str
    zh: str
    due: timedelta
    basis: tuple[str, ...]
    source: str
    when: Mapping[str, Any]

    def applies(self, impact: Impact) -> bool:
        """Tell whether the step belongs to a case of this impact: any condition is enough."""
        if not self.when:
            return True
        enough = self.when.get("min_persons_insider" if impact.insider else "min_persons")
        return (enough is not None and impact.persons >= enough) or (
            statutory_level(impact).code in self.when.get("statutory", ())
        )


@dataclass(frozen=True)
class Playbook:
    """The steps in order, with the two marks of the clock."""

    version: str
    clock: timedelta
    analysis: timedelta
    steps: tuple[Step, ...]

    def steps_for(self, impact: Impact) -> tuple[Step, ...]:
        """Return the steps of a case of this impact."""
        return tuple(step for step in self.steps if step.applies(impact))


def response_level(impact: Impact) -> Level:
    """Return the hospital's response level: the first rule of levels.json that fits."""
    for rule in _data("levels.json")["response"]:
        if _fits(rule, impact):
            return Level(rule["level"], tuple(rule["basis"]))
    raise NotFound("no rule gives this case a level", remedy="add a last rule without conditions")


def statutory_level(impact: Impact) -> Level:
    """Return the national level by number of persons; other criteria are a person's to judge."""
    for rule in _data("levels.json")["statutory"]:
        if impact.persons >= rule["min_persons"]:
            return Level(rule["code"], tuple(rule["basis"]))
    raise NotFound("no statutory level fits", remedy="add a last rule with min_persons 0")


@cache
def playbook() -> Playbook:
    """Return the packaged playbook."""
    value = _data("playbook.json")
    return Playbook(
        version=value["version"],
        clock=timedelta(minutes=value["clock_minutes"]),
        analysis=timedelta(minutes=value["analysis_minutes"]),
        steps=tuple(_step(item) for item in value["steps"]),
    )


def article(key: str) -> Article:
    """Return the article behind a key; NotFound if law.json has none."""
    found = _data("law.json")["articles"].get(key)
    if found is None:
        raise NotFound(f"no legal basis called '{key}'", remedy="see incident/law.json")
    return Article(key=key, **found)


def articles() -> tuple[Article, ...]:
    """Return every article, in the file's order."""
    return tuple(article(key) for key in _data("law.json")["articles"])


def _fits(rule: Mapping[str, Any], impact: Impact) -> bool:
    return (
        impact.persons >= rule.get("min_persons", 0)
        and impact.sensitivity in rule.get("sensitivity", (impact.sensitivity,))
        and (impact.insider or not rule.get("insider", False))
    )


def _step(item: Mapping[str, Any]) -> Step:
    return Step(
        code=item["code"],
        en=item["en"],
        zh=item["zh"],
        due=timedelta(minutes=item["due_minutes"]),
        basis=tuple(item["basis"]),
        source=item["source"],
        when=item.get("when", {}),
    )


@cache
def _data(name: str) -> dict[str, Any]:
    text = files("leadapron.incident").joinpath(name).read_text(encoding="utf-8")
    value: dict[str, Any] = json.loads(text)
    return value
