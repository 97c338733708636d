"""An invisible mark per view, and the trace from a leaked copy back to it."""

from leadapron.watermark.commitment import key_digest
from leadapron.watermark.embedding import embed
from leadapron.watermark.fingerprint import Fingerprint, fingerprint
from leadapron.watermark.index import FilmIndex, FilmMatch
from leadapron.watermark.overlay import registration_overlay, residual_heatmap
from leadapron.watermark.pictures import load_picture
from leadapron.watermark.ranking import Candidate, Ranking
from leadapron.watermark.registration import Registration
from leadapron.watermark.tracing import trace

__all__ = [
    "Candidate",
    "FilmIndex",
    "FilmMatch",
    "Fingerprint",
    "Ranking",
    "Registration",
    "embed",
    "fingerprint",
    "key_digest",
    "load_picture",
    "registration_overlay",
    "residual_heatmap",
    "trace",
]
