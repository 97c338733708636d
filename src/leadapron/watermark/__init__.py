"""An invisible mark per view, and the trace from a leaked copy back to it."""

from leadapron.watermark.embedding import embed
from leadapron.watermark.ranking import Candidate, Ranking
from leadapron.watermark.registration import Registration
from leadapron.watermark.tracing import trace

__all__ = ["Candidate", "Ranking", "Registration", "embed", "trace"]
