"""A command beside a running instance: it reads the log itself and appends through the owner.

One process writes a log. Whoever can read the keys folder finds there where the owner answers and
the secret that it accepts.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import httpx2

from leadapron.ledger import JSON, Ledger, Receipt
from leadapron.model import Unavailable

RUNNING_FILE = "running.json"
APPEND_PATH = "/api/ledger/entries"


class ForwardingLedger(Ledger):
    """Reads from disk; appends through the process that owns the log."""

    def __init__(self, path: Path, vkeys: tuple[str, ...], seen: Path, url: str, token: str):
        super().__init__(path, None, vkeys, seen)
        self._client = httpx2.Client(
            base_url=url, headers={"Authorization": f"Bearer {token}"}, trust_env=False, timeout=30
        )

    def append_many(self, entries: Iterable[Mapping[str, JSON]]) -> list[Receipt]:
        """Append through the owner; Unavailable when it does not answer."""
        try:
            answer = self._client.post(APPEND_PATH, json=[dict(e) for e in entries])
            answer.raise_for_status()
        except httpx2.HTTPError as error:
            raise Unavailable(
                "the running instance did not take the ledger entry",
                remedy="restart it, or stop it and run the command alone",
            ) from error
        return [
            Receipt(
                r["index"],
                bytes.fromhex(r["leaf_hash"]),
                r["tree_size"],
                bytes.fromhex(r["root"]),
                r["at_ms"],
            )
            for r in answer.json()
        ]

    def close(self) -> None:
        """Close the connection."""
        self._client.close()
        super().close()


@contextlib.contextmanager
def announced(keys: Path, url: str, dimse_port: int, token: str) -> Iterator[None]:
    """Leave the owner's address and secret in the keys folder (0600) while it runs."""
    path = keys / RUNNING_FILE
    temporary = path.with_suffix(".tmp")
    state = {"url": url, "dimse_port": dimse_port, "pid": os.getpid(), "token": token}
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(state, file)
    temporary.replace(path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def owner_of(keys: Path) -> tuple[str, str] | None:
    """Return (url, secret) of the process that runs this instance; None if none does."""
    path = keys / RUNNING_FILE
    try:
        state = json.loads(path.read_text("utf-8"))
        os.kill(state["pid"], 0)
    except (FileNotFoundError, ProcessLookupError):
        return None
    except PermissionError:
        pass
    return state["url"], state["token"]
