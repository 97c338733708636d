"""Forward sealed films to the archive by STOW-RS (PS3.18 10.5)."""

from __future__ import annotations

import uuid
from typing import Protocol

import httpx2

from leadapron.model import BadInput, Conflict, Unavailable

SOURCE_DIGEST = "X-LeadApron-Source-Digest"


class Forwarder(Protocol):
    """Hands one sealed object on; returning means that the successor is durable."""

    def send(self, part10: bytes, source_digest: str) -> None:
        """Raise Unavailable to be asked again later, BadInput or Conflict to give up."""


class StowForwarder:
    """A STOW-RS client with the gateway's bearer token."""

    def __init__(self, url: str, token: str, timeout_s: float = 60.0) -> None:
        """`url` is the archive's ``…/studies`` resource."""
        self._url = url
        self._client = httpx2.Client(
            timeout=timeout_s, headers={"Authorization": f"Bearer {token}"}, trust_env=False
        )

    def send(self, part10: bytes, source_digest: str) -> None:
        """Store one instance; idempotent at the archive."""
        boundary = uuid.uuid4().hex
        body = (
            f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
            + part10
            + f"\r\n--{boundary}--\r\n".encode()
        )
        headers = {
            "Content-Type": f'multipart/related; type="application/dicom"; boundary={boundary}',
            "Accept": "application/dicom+json",
            SOURCE_DIGEST: source_digest,
        }
        try:
            answer = self._client.post(self._url, content=body, headers=headers)
        except httpx2.HTTPError as error:
            raise Unavailable(
                f"the archive does not answer ({type(error).__name__})",
                remedy="the film waits in the spool and is sent again by itself",
            ) from error
        _judge(answer.status_code)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def _judge(status: int) -> None:
    if status == 200:
        return
    if status == 409:
        raise Conflict(
            "the archive holds another film under this SOP Instance UID",
            remedy="the sending device reuses UIDs: repair it, then release this film",
            code="uid-conflict",
        )
    if status in {400, 415, 422}:
        raise BadInput(
            f"the archive refused the sealed object (HTTP {status})",
            remedy="see the archive's log; release the film once the cause is mended",
            code="archive-refused",
        )
    raise Unavailable(
        f"the archive answered HTTP {status}",
        remedy="the film waits in the spool and is sent again by itself",
    )
