"""multipart/related bodies (RFC 2387), as DICOMweb uses them (PS3.18 8.6)."""

from __future__ import annotations

import uuid
from email.message import Message

from fastapi import Response

from leadapron.model import BadInput


def related(parts: list[tuple[str, bytes]]) -> Response:
    """Return an answer with one part per (content type, bytes)."""
    boundary = uuid.uuid4().hex
    body = bytearray()
    for content_type, data in parts:
        body += f"--{boundary}\r\nContent-Type: {content_type}\r\n".encode()
        body += f"Content-Length: {len(data)}\r\n\r\n".encode() + data + b"\r\n"
    body += f"--{boundary}--\r\n".encode()
    kind = parts[0][0].partition(";")[0] if parts else "application/dicom"
    return Response(
        bytes(body), media_type=f'multipart/related; type="{kind}"; boundary={boundary}'
    )


def parts_of(body: bytes, content_type: str) -> list[bytes]:
    """Return the parts' payloads; BadInput when the body is no multipart/related."""
    boundary = parameter(content_type, "boundary")
    if not boundary or not content_type.lower().startswith("multipart/related"):
        raise BadInput(
            "the body is not multipart/related with a boundary",
            remedy='send Content-Type: multipart/related; type="application/dicom"; boundary=…',
            code="not-multipart",
        )
    delimiter = b"--" + boundary.encode("latin-1")
    sections = (b"\r\n" + body).split(b"\r\n" + delimiter)
    if len(sections) < 3 or not sections[-1].startswith(b"--"):
        raise BadInput(
            "the multipart body is incomplete: its closing boundary is missing",
            remedy="send the whole body again",
            code="truncated",
        )
    return [_payload(section) for section in sections[1:-1]]


def parameter(content_type: str, name: str) -> str:
    """Return one parameter of a content type; empty if it is absent."""
    message = Message()
    message["Content-Type"] = content_type
    return str(message.get_param(name) or "")


def _payload(section: bytes) -> bytes:
    if section.startswith(b"\r\n\r\n"):
        return section[4:]
    head, separator, payload = section.partition(b"\r\n\r\n")
    if not separator:
        raise BadInput("a part has no header end", remedy="separate header and data by CRLF CRLF")
    del head
    return payload
