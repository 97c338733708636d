"""The HTTP application: console API, DICOMweb, STOW-RS, the built console."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles

from leadapron import __version__
from leadapron.app.api import (
    approvals,
    console,
    dicomweb,
    identities,
    ledger,
    rendered,
    session,
    stow,
    tracing,
)
from leadapron.app.api.schemas import Problem, ReasonText
from leadapron.app.api.security import add_headers
from leadapron.app.instance import Instance
from leadapron.delivery import Refused
from leadapron.edge import Gateway
from leadapron.model import LeadApronError

log = structlog.get_logger(__name__)

STATIC = Path(__file__).parents[1] / "static"


def create_app(instance: Instance | None = None, gateway: Gateway | None = None) -> FastAPI:
    """Return the application; without an instance it can only describe itself (OpenAPI)."""
    app = FastAPI(title="LeadApron", version=__version__, docs_url=None, redoc_url=None)
    app.state.instance = instance
    app.state.gateway = gateway
    app.middleware("http")(add_headers)
    app.add_exception_handler(LeadApronError, _problem)
    app.add_exception_handler(RequestValidationError, _invalid)
    problems: dict[int | str, dict[str, Any]] = {
        code: {"model": Problem} for code in (401, 403, 404, 409, 422, 503)
    }
    for module in (session, console, ledger, tracing, approvals, identities):
        app.include_router(module.router, prefix="/api", responses=problems)
    for module in (dicomweb, rendered):
        app.include_router(module.router, prefix="/dicom-web", responses=problems)
    app.include_router(stow.edge_router, prefix="/dicom-web", responses=problems)
    app.include_router(stow.archive_router, prefix="/archive", responses=problems)
    app.add_api_route("/healthz", _healthy, include_in_schema=False)
    _mount_console(app)
    return app


def _healthy() -> dict[str, str]:
    return {"status": "ok", "version": __version__}


async def _problem(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, LeadApronError)  # noqa: S101 - registered for this class only
    reasons = (
        [ReasonText(code=r.code, en=r.en, zh=r.zh) for r in error.reasons]
        if isinstance(error, Refused)
        else []
    )
    problem = Problem(**error.as_dict(), reasons=reasons)
    headers = {"WWW-Authenticate": "Bearer"} if error.http == 401 else {}
    return JSONResponse(problem.model_dump(), status_code=error.http, headers=headers)


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    where = "; ".join(
        f"{'.'.join(str(p) for p in item['loc'])}: {item['msg']}" for item in error.errors()
    )
    problem = Problem(code="invalid-request", message=where, remedy="see /openapi.json")
    return JSONResponse(problem.model_dump(), status_code=422)


def _mount_console(app: FastAPI) -> None:
    if not (STATIC / "index.html").exists():
        log.warning("console.missing", remedy="build it: cd web && npm ci && npm run build")
        return

    async def index() -> FileResponse:
        return FileResponse(STATIC / "index.html")

    app.add_api_route("/", index, include_in_schema=False)
    app.mount("/", StaticFiles(directory=STATIC), name="console")
