"""Cedar's judgement of one request, turned into a Decision."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import structlog

from leadapron.model import (
    AccessRequest,
    Action,
    Decision,
    Obligations,
    Order,
    Reason,
    Region,
)
from leadapron.policy import resources
from leadapron.policy.needs import Grant, NeedModel, default_model
from leadapron.policy.reasons import about_regions, known, priority, reason
from leadapron.policy.rules import Rule, rules
from leadapron.policy.sources import digest, hospital_files, validate
from leadapron.policy.translation import (
    Candidate,
    cedar_entities,
    cedar_request,
    is_emergency,
)

_log = structlog.get_logger(__name__)

_SHOWS_PIXELS = frozenset({Action.VIEW, Action.EXPORT})
_ABOUT_NO_ORDER = frozenset({Action.TRACE})
_EXPLAINED = 8
_ORDER_GUARDS = frozenset(
    {
        "order-names-others",
        "order-other-patient",
        "order-other-study",
        "order-not-active",
        "order-not-yet-valid",
        "order-expired",
        "need-unknown",
        "film-out-of-domain",
        "region-not-on-film",
        "region-not-granted",
        "no-region",
    }
)
_FOLLOWS = {
    "no-order": _ORDER_GUARDS,
    "role-sees-no-pixels": _ORDER_GUARDS | {"no-order"},
    "need-unknown": frozenset({"no-region", "region-not-granted"}),
    "film-out-of-domain": frozenset({"no-region", "region-not-granted"}),
    "region-not-on-film": frozenset({"region-not-granted"}),
}
"""Guards that say nothing new once the key has spoken."""


@dataclass(frozen=True)
class _Judged:
    candidate: Candidate
    allowed: bool
    guards: tuple[str, ...]


class Engine:
    """The packaged policies, and a hospital's own beside them.

    Deterministic: a decision depends on the request and on what `policy_version` digests.
    Thread-safe; policies and schema are parsed once.
    """

    def __init__(
        self, policies_dir: Path | str | None = None, *, needs: NeedModel | None = None
    ) -> None:
        """Load the policies; `policies_dir` adds a hospital's ``*.cedar`` files.

        A hospital's permit cannot pass a packaged guard: a forbid wins.

        Raises:
            BadInput: the folder is missing, or a policy does not fit the schema.
        """
        import cedarpy

        self._cedar = cedarpy
        self.needs = needs or default_model()
        texts = [*resources.cedar_files(), *hospital_files(policies_dir)]
        schema = resources.text("cedar/leadapron.cedarschema")
        joined = "\n".join(text for _, text in texts)
        validate(cedarpy, joined, schema)
        self._policies = cedarpy.PolicySet.from_str(joined)
        self._schema = cedarpy.Schema.from_str(schema)
        self._rules: tuple[tuple[str, Rule], ...] = tuple((n, rules.get(n)) for n in rules)
        self.policy_version = digest(texts, schema, self.needs, self._rules)

    def decide(self, request: AccessRequest) -> Decision:
        """Return the decision. Never raises: what cannot be judged is refused."""
        try:
            known = _normal(request)
            decision = self._ruled(known, self._decided(known))
        except Exception as error:
            # Values may be a patient's: the log gets the kind of error only.
            _log.error("policy.no-decision", error=type(error).__name__)
            decision = _refusal([reason("no-decision")])
        return replace(decision, policy_version=self.policy_version)

    def carrying(self, request: AccessRequest) -> tuple[Order, ...]:
        """Return the orders among the request's that carry it; none if it cannot be judged."""
        try:
            judged = self._judge(_normal(request))
        except Exception as error:
            _log.error("policy.no-decision", error=type(error).__name__)
            return ()
        return tuple(j.candidate.order for j in judged if j.allowed and j.candidate.order)

    def _decided(self, request: AccessRequest) -> Decision:
        judged = self._judge(request)
        carrying = [item for item in judged if item.allowed]
        if not carrying:
            return self._explained_refusal(judged)
        if request.action is Action.SEARCH:
            return Decision(True, reasons=(reason("search-limited", count=str(len(carrying))),))
        if request.action is Action.TRACE:
            return Decision(True, reasons=(reason("trace-permitted"),))
        best = min(carrying, key=lambda item: _preference(request, item.candidate))
        return self._granted(request, best.candidate)

    def _judge(self, request: AccessRequest) -> list[_Judged]:
        candidates = self._candidates(request)
        results = self._cedar.is_authorized_batch(
            [cedar_request(request, candidate) for candidate in candidates],
            self._policies,
            cedar_entities(request),
            schema=self._schema,
        )
        return [
            _judged(candidate, result, self._cedar.Decision)
            for candidate, result in zip(candidates, results, strict=True)
        ]

    def _candidates(self, request: AccessRequest) -> list[Candidate]:
        if is_emergency(request):
            whole = Grant(request.available)
            return [Candidate(None, False, False, whole, _asked(request, whole))]
        if len(request.orders) == 0 or request.action in _ABOUT_NO_ORDER:
            return [Candidate(None, False, False, Grant(), request.regions)]
        return [self._candidate(request, order) for order in _worth_judging(request)]

    def _candidate(self, request: AccessRequest, order: Order) -> Candidate:
        need = self.needs.needs.get(order.need)
        grant = Grant()
        if need is not None and request.action in _SHOWS_PIXELS:
            grant = self.needs.grant(need, request.available, in_domain=request.in_domain)
        whole_film = need is not None and need.whole_film
        return Candidate(order, need is not None, whole_film, grant, _asked(request, grant))

    def _granted(self, request: AccessRequest, candidate: Candidate) -> Decision:
        order = candidate.order
        if order is None:
            return Decision(True, regions=candidate.regions, obligations=Obligations(psnr_db=50.0))
        need = self.needs.get(order.need) if candidate.need_known else None
        names = {"en": need.en, "zh": need.zh} if need else {"en": order.need, "zh": order.need}
        told = [
            reason(
                "order-carries", order=order.id, need=names["en"], fields_zh={"need": names["zh"]}
            )
        ]
        if request.action not in _SHOWS_PIXELS or need is None:
            return Decision(True, reasons=tuple(told), order=order.id)
        told += _about_grant(request, candidate)
        return Decision(
            True,
            regions=candidate.regions,
            obligations=need.obligations,
            reasons=tuple(told),
            order=order.id,
        )

    def _explained_refusal(self, judged: Sequence[_Judged]) -> Decision:
        """Explain by the order that came nearest, so that others stay untold."""
        nearest = min(judged, key=lambda j: (len(j.guards), _order_id(j.candidate)))
        codes = set(nearest.guards)
        for code in nearest.guards:
            codes -= _FOLLOWS.get(code, frozenset())
        ordered = sorted(codes, key=lambda code: (priority(code), code))
        return _refusal([_guard_reason(code) for code in ordered])

    def _ruled(self, request: AccessRequest, decision: Decision) -> Decision:
        if not decision.allow:
            return decision
        obligations = decision.obligations
        reasons = list(decision.reasons)
        for _, rule in self._rules:
            ruling = rule(request, decision)
            if ruling is None:
                continue
            if ruling.veto:
                return _refusal(ruling.reasons)
            reasons += ruling.reasons
            if ruling.obligations is not None:
                obligations = _strictest(obligations, ruling.obligations)
        return replace(decision, obligations=obligations, reasons=tuple(reasons))


@cache
def default_engine() -> Engine:
    """Return the engine with the packaged policies alone."""
    return Engine()


def decide(request: AccessRequest) -> Decision:
    """Say whether this recipient may do this now, and which regions they may see.

    A pure function of the request and the packaged policies. Never raises: no answer, an
    error in any policy and an invalid request are all refusals.
    """
    try:
        engine = default_engine()
    except Exception as error:
        _log.error("policy.no-engine", error=type(error).__name__)
        return _refusal([reason("no-decision")])
    return engine.decide(request)


def _worth_judging(request: AccessRequest) -> Sequence[Order]:
    """Leave out orders that cannot carry, as Cedar's time is per order; it judges the rest.

    If none can, the latest few remain, so that the refusal is explained.
    """
    alive = [
        order
        for order in request.orders
        if order.status == "active"
        and order.valid_from <= request.at < order.valid_until
        and request.recipient.id in order.recipients
    ]
    latest = sorted(request.orders, key=lambda o: (o.valid_until, o.id), reverse=True)
    return alive or latest[:_EXPLAINED]


def carrying(request: AccessRequest) -> tuple[Order, ...]:
    """Return the request's orders that carry it under the packaged policies.

    A search is limited to these: `decide` says whether it may be made at all. Never raises.
    """
    try:
        return default_engine().carrying(request)
    except Exception as error:
        _log.error("policy.no-engine", error=type(error).__name__)
        return ()


def _normal(request: AccessRequest) -> AccessRequest:
    """Return the request with region names as regions; an unknown name raises."""
    return replace(
        request,
        regions=frozenset(Region(region) for region in request.regions),
        available=frozenset(Region(region) for region in request.available),
    )


def _asked(request: AccessRequest, grant: Grant) -> frozenset[Region]:
    """Return what would be shown; asking for nothing granted goes to the guards as asked."""
    if not request.regions:
        return grant.regions
    return (request.regions & grant.regions) or request.regions


def _preference(request: AccessRequest, candidate: Candidate) -> tuple[int, int, str]:
    """Order candidates: most of what was asked for, then the narrowest; else the widest."""
    shown = len(candidate.regions)
    if request.regions:
        return -shown, len(candidate.grant.regions), _order_id(candidate)
    return -shown, 0, _order_id(candidate)


def _about_grant(request: AccessRequest, candidate: Candidate) -> list[Reason]:
    told = []
    if extra := request.regions - candidate.regions:
        told.append(about_regions("regions-narrowed", extra))
    if candidate.grant.substituted:
        told.append(about_regions("region-fallback", candidate.grant.substituted))
    if candidate.grant.missing:
        told.append(about_regions("region-missing", candidate.grant.missing))
    return told


def _order_id(candidate: Candidate) -> str:
    return candidate.order.id if candidate.order else ""


def _judged(candidate: Candidate, result: Any, answers: Any) -> _Judged:
    diagnostics = result.diagnostics
    answered = result.decision in (answers.Allow, answers.Deny) and not diagnostics.errors
    if not answered:
        # A policy that failed was skipped, and the skipped one may have been a forbid.
        return _Judged(candidate, False, ("no-decision",))
    if result.decision == answers.Allow:
        return _Judged(candidate, True, ())
    names = diagnostics.id_annotations_by_reason
    guards = {names.get(policy) or policy for policy in diagnostics.reasons}
    return _Judged(candidate, False, tuple(sorted(guards)) or ("role-not-permitted",))


def _guard_reason(code: str) -> Reason:
    return reason(code) if known(code) else reason("policy-forbids", policy=code)


def _refusal(reasons: Iterable[Reason]) -> Decision:
    return Decision(False, reasons=tuple(reasons) or (reason("no-decision"),))


def _strictest(one: Obligations, other: Obligations) -> Obligations:
    """Combine: the strongest mark, the emptier background, a review if either wants one."""
    return replace(
        one,
        psnr_db=min(one.psnr_db, other.psnr_db),
        background="flat" if "flat" in (one.background, other.background) else one.background,
        review=one.review or other.review,
    )
