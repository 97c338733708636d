"""STOW-RS (PS3.18 10.5): raw films into the edge, sealed films into the archive."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydicom.dataset import Dataset

from leadapron.app.api.multipart import parts_of
from leadapron.app.api.security import GatewayCaller, Here
from leadapron.edge import SOURCE_DIGEST, Gateway, read_part10
from leadapron.model import BadInput, LeadApronError, StorageFailure, Unavailable

edge_router = APIRouter(tags=["STOW-RS"])
archive_router = APIRouter(tags=["archive ingest"])

DICOM_JSON = "application/dicom+json"


@edge_router.post("/studies")
@edge_router.post("/studies/{study}")
async def store_films(request: Request, caller: GatewayCaller, study: str = "") -> JSONResponse:
    """Take raw films into the spool; 200 means durable there, not yet archived."""
    gateway: Gateway | None = request.app.state.gateway
    if gateway is None:
        raise Unavailable("this process runs no gateway", remedy="send to the edge's address")

    def keep(part10: bytes) -> Dataset:
        dataset = read_part10(part10)
        _require_study(dataset, study)
        gateway.receive(part10, f"stow:{caller.user}")
        return dataset

    return await _store_all(request, gateway.max_bytes, keep)


@archive_router.post("/studies")
async def ingest_sealed(request: Request, here: Here, _caller: GatewayCaller) -> JSONResponse:
    """Take sealed films from gateways; anything else is refused."""
    digest = request.headers.get(SOURCE_DIGEST, "")

    def keep(part10: bytes) -> Dataset:
        film = here.archive.ingest(part10, digest).film
        dataset = Dataset()
        dataset.SOPClassUID, dataset.SOPInstanceUID = film.sop_class, film.sop_instance
        return dataset

    return await _store_all(request, here.settings.max_object_mb << 20, keep)


async def _store_all(
    request: Request, max_bytes: int, keep: Callable[[bytes], Dataset]
) -> JSONResponse:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > max_bytes:
            raise BadInput(
                f"the body is larger than {max_bytes >> 20} MiB",
                remedy="send fewer films a request, or raise max_object_mb",
                code="too-large",
            )
    parts = parts_of(bytes(body), request.headers.get("Content-Type", ""))
    stored, failed = [], []
    for part in parts:
        try:
            stored.append(await asyncio.to_thread(keep, part))
        except StorageFailure:
            raise
        except LeadApronError as error:
            failed.append(error)
    return _answer(stored, failed)


def _require_study(dataset: Dataset, study: str) -> None:
    if study and str(dataset.get("StudyInstanceUID", "")) != study:
        raise BadInput(
            "an instance belongs to another study than the request's",
            remedy="post to /studies, or to its own study",
            code="wrong-study",
        )


def _answer(stored: list[Dataset], failed: list[LeadApronError]) -> JSONResponse:
    """Build the Store Instances Response (PS3.18 Table 10.5.3-1 and 10.5-2)."""
    body: dict[str, Any] = {}
    if stored:
        body["00081199"] = {"vr": "SQ", "Value": [_reference(d) for d in stored]}
    if failed:
        body["00081198"] = {
            "vr": "SQ",
            "Value": [{"00081197": {"vr": "US", "Value": [e.dimse]}} for e in failed],
        }
    status = 200
    if failed:
        status = 202 if stored else failed[0].http
    return JSONResponse(body, status_code=status, media_type=DICOM_JSON)


def _reference(dataset: Dataset) -> dict[str, Any]:
    return {
        "00081150": {"vr": "UI", "Value": [str(dataset.SOPClassUID)]},
        "00081155": {"vr": "UI", "Value": [str(dataset.SOPInstanceUID)]},
    }
