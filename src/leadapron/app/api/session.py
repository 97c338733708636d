"""Sign in, who am I, sign out."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from leadapron.app.api.schemas import LinkSignIn, Session, SignIn
from leadapron.app.api.security import COOKIE, Here, Reader
from leadapron.app.auth import SESSION_MS, Principal
from leadapron.app.instance import Instance

router = APIRouter(tags=["session"])


@router.get("/session")
def who_am_i(here: Here, caller: Reader) -> Session:
    """Return the signed-in person."""
    return _session(here, caller)


@router.post("/session")
def sign_in(body: SignIn, here: Here, request: Request, response: Response) -> Session:
    """Sign in with name and password; both outcomes are ledgered."""
    try:
        secret, principal = here.accounts.sign_in(body.user, body.password)
    except Exception:
        here.ledger.append({"kind": "sign-in.refused", "recipient": body.user[:64]})
        raise
    return _start(here, principal, secret, request, response)


@router.post("/session/link")
def redeem(body: LinkSignIn, here: Here, request: Request, response: Response) -> Session:
    """Sign in with a one-time link."""
    secret, principal = here.accounts.redeem_link(body.token)
    return _start(here, principal, secret, request, response)


@router.delete("/session", status_code=204)
def sign_out(here: Here, _caller: Reader, request: Request, response: Response) -> None:
    """End the session."""
    here.accounts.sign_out(request.cookies.get(COOKIE, ""))
    response.delete_cookie(COOKIE)


def _start(
    here: Instance, principal: Principal, secret: str, request: Request, response: Response
) -> Session:
    here.ledger.append({"kind": "sign-in", "recipient": principal.user})
    response.set_cookie(
        COOKIE,
        secret,
        max_age=SESSION_MS // 1000,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return _session(here, principal)


def _session(here: Instance, principal: Principal) -> Session:
    recipient = here.policy.recipient(principal.user)
    return Session(
        user=principal.user,
        display=recipient.display or principal.user,
        role=recipient.role.value,
        csrf=principal.csrf,
    )
