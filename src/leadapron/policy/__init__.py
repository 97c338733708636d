"""May this recipient see these regions now? Cedar answers, and no answer means no."""

from leadapron.policy.breaker import Limits, VolumeBreaker, worst
from leadapron.policy.engine import Engine, carrying, decide, default_engine
from leadapron.policy.needs import Grant, Need, NeedModel, default_model
from leadapron.policy.rules import Rule, Ruling, rules
from leadapron.policy.store import EVERYBODY, Breaker, PolicyStore, Revocation

__all__ = [
    "EVERYBODY",
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
    "decide",
    "default_engine",
    "default_model",
    "rules",
    "worst",
]
