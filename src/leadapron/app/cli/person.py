"""Commands that a person answers for: whoever can read the keys folder is not yet somebody."""

from __future__ import annotations

import getpass
import sys

from leadapron.app.instance import Instance
from leadapron.model import LeadApronError


def typed_secret(prompt: str) -> str:
    """Return one line that was piped in, or ask for it without echo."""
    if sys.stdin.isatty():
        return getpass.getpass(prompt)
    return sys.stdin.readline().rstrip("\n")


def signed_in(here: Instance, user: str) -> str:
    """Return `user` once the account's password was given; both outcomes are ledgered."""
    password = typed_secret(f"password of {user}: ")
    try:
        here.accounts.verify(user, password)
    except LeadApronError:
        here.ledger.append({"kind": "sign-in.refused", "recipient": user[:64]})
        raise
    here.ledger.append({"kind": "sign-in", "recipient": user})
    return user
