"""C-FIND for readers' workstations (PS3.4 C, Study Root)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, evt
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelFind,
)

from leadapron.archive import QUERY_KEYS, Film
from leadapron.delivery.searching import Searching
from leadapron.model import BadInput, LeadApronError, NotFound, Recipient
from leadapron.policy import PolicyStore

NOT_AUTHORIZED, IDENTIFIER_MISMATCH, PENDING, CANCEL = 0x0124, 0xA900, 0xFF00, 0xFE00
LEVELS = ("STUDY", "SERIES", "IMAGE")
_UNIQUE = {"STUDY": "study_instance", "SERIES": "series_instance", "IMAGE": "sop_instance"}


class QueryService:
    """A calling AE stands for the recipient registered under its title.

    An AE title is no proof of identity: register one only for workstations that reach this
    port over mutually authenticated TLS or on loopback.
    """

    def __init__(self, searching: Searching, policy: PolicyStore) -> None:
        self._searching = searching
        self._policy = policy

    def add_contexts(self, ae: AE) -> None:
        """Support Study Root FIND."""
        syntaxes = [ExplicitVRLittleEndian, ImplicitVRLittleEndian]
        ae.add_supported_context(StudyRootQueryRetrieveInformationModelFind, syntaxes)

    def handlers(self) -> list[tuple[Any, Callable[..., Any]]]:
        """Return the pynetdicom event handlers."""
        return [(evt.EVT_C_FIND, self._find)]

    def _find(self, event: Any) -> Iterator[tuple[int, Dataset | None]]:
        try:
            films = self.films(event, event.identifier, "c-find")
        except LeadApronError as error:
            yield status_of(error), None
            return
        level = str(event.identifier.get("QueryRetrieveLevel", "STUDY"))
        seen: set[str] = set()
        for film in films:
            key = getattr(film, _UNIQUE[level])
            if event.is_cancelled:
                yield CANCEL, None
                return
            if key not in seen:
                seen.add(key)
                yield PENDING, _answer(event.identifier, film, level)

    def recipient(self, event: Any) -> Recipient:
        """Return who calls; NotFound for a title that nobody registered."""
        return self._policy.recipient_by_ae(str(event.assoc.requestor.ae_title))

    def films(self, event: Any, identifier: Dataset, channel: str) -> list[Film]:
        """Return the caller's films that `identifier` asks for; the search is in the log."""
        recipient = self.recipient(event).id
        level = str(identifier.get("QueryRetrieveLevel", ""))
        if level not in LEVELS:
            raise BadInput(
                f"query level '{level}' is not supported", remedy=f"use one of {', '.join(LEVELS)}"
            )
        match = {}
        for keyword in QUERY_KEYS:
            value = identifier.get(keyword)
            if value not in {None, ""}:
                text = ",".join(value) if isinstance(value, (list, tuple)) else str(value)
                match[keyword] = text
        return self._searching.search(recipient, match, channel=channel)


def status_of(error: LeadApronError) -> int:
    """Return the status of a query or retrieve that failed (PS3.4 C.4, PS3.7 Annex C)."""
    if isinstance(error, BadInput):
        return IDENTIFIER_MISMATCH
    return NOT_AUTHORIZED if isinstance(error, NotFound) else error.dimse


def _answer(identifier: Dataset, film: Film, level: str) -> Dataset:
    """Return the keys asked for; the patient's name is always empty."""
    answer = Dataset()
    for element in identifier:
        column = QUERY_KEYS.get(element.keyword)
        value = getattr(film, column) if column else ""
        if element.keyword:
            setattr(answer, element.keyword, value if element.VR != "SQ" else [])
    answer.QueryRetrieveLevel = level
    answer.StudyInstanceUID = film.study_instance
    if level != "STUDY":
        answer.SeriesInstanceUID = film.series_instance
    if level == "IMAGE":
        answer.SOPInstanceUID = film.sop_instance
    if "ModalitiesInStudy" in identifier:
        answer.ModalitiesInStudy = film.modality
    return answer
