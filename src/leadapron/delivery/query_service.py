"""C-FIND and C-GET for readers' workstations (PS3.4 C, Study Root)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import structlog
from pydicom.dataset import Dataset
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    DigitalXRayImageStorageForPresentation,
    DigitalXRayImageStorageForProcessing,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    SecondaryCaptureImageStorage,
)
from pynetdicom import AE, evt
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
)

from leadapron.archive import QUERY_KEYS, Film
from leadapron.delivery.delivery import Delivery
from leadapron.delivery.searching import Searching
from leadapron.delivery.view import ViewRequest
from leadapron.model import BadInput, LeadApronError, NotFound
from leadapron.policy import PolicyStore

log = structlog.get_logger(__name__)

DELIVERED_CLASSES = [
    ComputedRadiographyImageStorage,
    DigitalXRayImageStorageForPresentation,
    DigitalXRayImageStorageForProcessing,
    SecondaryCaptureImageStorage,
]
NOT_AUTHORIZED, IDENTIFIER_MISMATCH, PENDING, CANCEL = 0x0124, 0xA900, 0xFF00, 0xFE00
LEVELS = ("STUDY", "SERIES", "IMAGE")
_UNIQUE = {"STUDY": "study_instance", "SERIES": "series_instance", "IMAGE": "sop_instance"}


class QueryService:
    """A calling AE stands for the recipient registered under its title.

    An AE title is no proof of identity: register one only for workstations that reach this
    port over mutually authenticated TLS or on loopback.
    """

    def __init__(self, searching: Searching, delivery: Delivery, policy: PolicyStore) -> None:
        self._searching = searching
        self._delivery = delivery
        self._policy = policy

    def add_contexts(self, ae: AE) -> None:
        """Support Study Root FIND and GET, and storage as SCU for what GET sends back."""
        syntaxes = [ExplicitVRLittleEndian, ImplicitVRLittleEndian]
        ae.add_supported_context(StudyRootQueryRetrieveInformationModelFind, syntaxes)
        ae.add_supported_context(StudyRootQueryRetrieveInformationModelGet, syntaxes)
        for context in ae.supported_contexts:
            if context.abstract_syntax in DELIVERED_CLASSES:
                context.scu_role, context.scp_role = True, True

    def handlers(self) -> list[tuple[Any, Callable[..., Any]]]:
        """Return the pynetdicom event handlers."""
        return [(evt.EVT_C_FIND, self._find), (evt.EVT_C_GET, self._get)]

    def _find(self, event: Any) -> Iterator[tuple[int, Dataset | None]]:
        try:
            films = self._films(event, event.identifier)
        except LeadApronError as error:
            yield _status(error), None
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

    def _get(self, event: Any) -> Iterator[Any]:
        try:
            recipient = self._recipient(event)
            films = self._films(event, event.identifier)
        except LeadApronError as error:
            yield 0
            yield _status(error), None
            return
        yield len(films)
        for film in films:
            try:
                view = self._delivery.open_view(
                    ViewRequest(recipient, film.sop_instance, channel="c-get")
                )
            except LeadApronError as error:
                log.warning("get.refused", sop=film.sop_instance, code=error.slug)
                yield _status(error), None
                return
            yield PENDING, view.dataset

    def _recipient(self, event: Any) -> str:
        calling = str(event.assoc.requestor.ae_title)
        return self._policy.recipient_by_ae(calling).id

    def _films(self, event: Any, identifier: Dataset) -> list[Film]:
        recipient = self._recipient(event)
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
        return self._searching.search(recipient, match, channel="c-find")


def _status(error: LeadApronError) -> int:
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
