"""The gateway's side of DIMSE: Verification and Storage SCP (PS3.4 A, B)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog
from pydicom.uid import (
    JPEG2000,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)
from pynetdicom import AE, AllStoragePresentationContexts, evt
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from leadapron.edge.gateway import Gateway
from leadapron.model import LeadApronError

log = structlog.get_logger(__name__)

TRANSFER_SYNTAXES = [
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    JPEGLSLossless,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLossless,
    RLELossless,
    JPEG2000,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
]

SUCCESS = 0x0000
CANNOT_UNDERSTAND = 0xC000
OUT_OF_RESOURCES = 0xA700


class StorageService:
    """Adds Verification and Storage to an application entity.

    A film is answered with Success only when it is durable in the spool; what happens to it
    afterwards is the gateway's business and shows in quarantine, never as a lost film.
    """

    def __init__(self, gateway: Gateway, modalities: list[str]) -> None:
        """`modalities` are the calling AE titles that may store; empty means any."""
        self._gateway = gateway
        self._modalities = frozenset(modalities)

    def add_contexts(self, ae: AE) -> None:
        """Support Verification and every standard storage class."""
        ae.add_supported_context(Verification)
        for context in AllStoragePresentationContexts:
            ae.add_supported_context(str(context.abstract_syntax), TRANSFER_SYNTAXES)

    def handlers(self) -> list[tuple[Any, Callable[..., Any]]]:
        """Return the pynetdicom event handlers."""
        return [(evt.EVT_C_STORE, self._store), (evt.EVT_C_ECHO, lambda _event: SUCCESS)]

    def _store(self, event: Any) -> int:
        calling = str(event.assoc.requestor.ae_title)
        if self._modalities and calling not in self._modalities:
            log.warning("store.refused", calling_ae=calling)
            return 0x0124  # Refused: Not Authorized, PS3.7 C.4.2
        try:
            self._gateway.receive(event.encoded_dataset(), calling)
        except LeadApronError as error:
            log.error("store.failed", calling_ae=calling, problem=error.slug)
            return error.dimse
        except Exception:
            log.exception("store.failed", calling_ae=calling)
            return CANNOT_UNDERSTAND
        return SUCCESS
