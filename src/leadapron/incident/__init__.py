"""From a leaked copy to a case (安全事件) and its two-hour clock."""

from leadapron.incident.case import Case, CaseStep, Clock
from leadapron.incident.playbook import (
    Article,
    Impact,
    Level,
    Playbook,
    Step,
    article,
    articles,
    playbook,
    response_level,
    statutory_level,
)
from leadapron.incident.store import CaseStore

__all__ = [
    "Article",
    "Case",
    "CaseStep",
    "CaseStore",
    "Clock",
    "Impact",
    "Level",
    "Playbook",
    "Step",
    "article",
    "articles",
    "playbook",
    "response_level",
    "statutory_level",
]
