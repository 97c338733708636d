"""Ingest, catalogue and storage of sealed films."""

from leadapron.archive.archive import QUERY_KEYS, Archive, Ingested
from leadapron.archive.film import Film
from leadapron.archive.placing import StudyMove

__all__ = ["QUERY_KEYS", "Archive", "Film", "Ingested", "StudyMove"]
