"""Who calls an HTTP resource: a cookie session of the console or a bearer token."""

from __future__ import annotations

import secrets
from typing import Annotated

from fastapi import Depends, Request
from starlette.middleware.base import RequestResponseEndpoint
from starlette.responses import Response

from leadapron.app.auth import Principal, Unauthenticated
from leadapron.app.instance import Instance
from leadapron.model import Denied

COOKIE = "leadapron"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

CONTENT_SECURITY_POLICY = (
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; img-src 'self' blob: data:; "
    "style-src 'self' 'unsafe-inline'; worker-src 'self' blob:; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)


def instance_of(request: Request) -> Instance:
    """Return the instance that this application serves."""
    found: Instance = request.app.state.instance
    return found


def reader(request: Request) -> Principal:
    """Return the signed-in reader: cookie session (CSRF header on writes) or bearer token."""
    accounts = instance_of(request).accounts
    bearer = _bearer(request)
    if bearer:
        return accounts.who(bearer, "reader")
    principal = accounts.who(request.cookies.get(COOKIE, ""), "session")
    if request.method not in SAFE_METHODS and not secrets.compare_digest(
        request.headers.get("X-CSRF", ""), principal.csrf
    ):
        raise Denied("the X-CSRF header is missing or wrong", remedy="reload the console")
    return principal


def gateway(request: Request) -> Principal:
    """Return the calling gateway or modality by its bearer token."""
    return instance_of(request).accounts.who(_bearer(request), "gateway")


def operator(request: Request) -> Principal:
    """Return the local operator: a command beside this process that reads the keys folder."""
    return instance_of(request).accounts.who(_bearer(request), "operator")


def _bearer(request: Request) -> str:
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return secret.strip()
    if scheme:
        raise Unauthenticated(
            f"the authorization scheme '{scheme[:20]}' is not supported",
            remedy="send `Authorization: Bearer TOKEN`",
        )
    return ""


async def add_headers(request: Request, call_next: RequestResponseEndpoint) -> Response:
    """Say on every answer: no framing, no sniffing, no caching of what a reader may see."""
    response = await call_next(request)
    response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    static = request.url.path.startswith("/assets/")
    response.headers["Cache-Control"] = (
        "public, max-age=31536000, immutable" if static else "private, no-store"
    )
    return response


Reader = Annotated[Principal, Depends(reader)]
Operator = Annotated[Principal, Depends(operator)]
GatewayCaller = Annotated[Principal, Depends(gateway)]
Here = Annotated[Instance, Depends(instance_of)]
