"""Built-in policy rules, one file each.

A rule looks at a request that the policies would allow and may veto it or add obligations. It
can neither allow nor loosen: obligations of several rules combine to the strictest. A rule is a
pure function; one that raises refuses the request. Third parties register theirs with
``rules.add(name, rule)`` in a module behind an entry point of the group
``leadapron.policy-rule``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from leadapron.model import AccessRequest, Decision, Obligations, Reason, Registry


@dataclass(frozen=True)
class Ruling:
    """What a rule says: `veto` refuses; `obligations` add; `reasons` tell why."""

    veto: bool = False
    obligations: Obligations | None = None
    reasons: tuple[Reason, ...] = ()


Rule = Callable[[AccessRequest, Decision], Ruling | None]

rules: Registry[Rule] = Registry("policy-rule", "leadapron.policy.rules")

__all__ = ["Rule", "Ruling", "rules"]
