"""May this recipient see these regions now? Cedar answers, and no answer means no."""

from leadapron.policy.aliases import Alias, Aliases
from leadapron.policy.approvals import Approvals
from leadapron.policy.breaker import Limits, VolumeBreaker, worst
from leadapron.policy.dual_control import Approval, content_digest, dual_action, dual_actions
from leadapron.policy.engine import Engine, carrying, decide, default_engine
from leadapron.policy.needs import Grant, Need, NeedModel, default_model
from leadapron.policy.rules import Rule, Ruling, rules
from leadapron.policy.store import EVERYBODY, Breaker, PolicyStore, Revocation

__all__ = [
    "EVERYBODY",
    "Alias",
    "Aliases",
    "Approval",
    "Approvals",
    "Breaker",
    "Engine",
    "Grant",
    "Limits",
    "Need",
    "NeedModel",
    "PolicyStore",
    "Revocation",
    "Rule",
    "Ruling",
    "VolumeBreaker",
    "carrying",
    "content_digest",
    "decide",
    "default_engine",
    "default_model",
    "dual_action",
    "dual_actions",
    "rules",
    "worst",
]
