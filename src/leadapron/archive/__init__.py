"""Ingest, catalogue and storage of sealed films."""

from leadapron.archive.archive import QUERY_KEYS, Archive, Ingested
from leadapron.archive.film import Film

__all__ = ["QUERY_KEYS", "Archive", "Film", "Ingested"]
