"""One error family that speaks HTTP, DIMSE and exit codes."""

from __future__ import annotations

from typing import ClassVar


class LeadApronError(Exception):
    """An expected failure, told to a person in words that name the thing and the remedy.

    Attributes:
        code: machine-readable slug; stable, documented, never translated.
        http: HTTP status (RFC 9110).
        dimse: DIMSE status (PS3.7 Annex C; Storage SCP statuses PS3.4 B.2.3).
        exit_code: process exit status (BSD sysexits where one fits).
    """

    code: ClassVar[str] = "internal"
    http: ClassVar[int] = 500
    dimse: ClassVar[int] = 0x0110
    exit_code: ClassVar[int] = 70

    def __init__(self, message: str, *, remedy: str = "", code: str | None = None) -> None:
        """Keep `message` (what is wrong, with the thing's name) and `remedy` (what to do).

        Neither may carry a patient's identity or a secret: both reach logs and readers.
        `code` narrows the class's slug, for instance ``truncated`` for a BadInput.
        """
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.slug = code or self.code

    def diagnostics(self) -> str:
        """Return what happened and what to do next, for a terminal or a log."""
        text = f"{self.slug}: {self.message}"
        return f"{text}\n  → {self.remedy}" if self.remedy else text

    def as_dict(self) -> dict[str, str]:
        """Return the problem as plain JSON values: code, message, remedy."""
        return {"code": self.slug, "message": self.message, "remedy": self.remedy}


class BadInput(LeadApronError):
    """The input cannot be understood (not DICOM, truncated, absurd dimensions …)."""

    code = "bad-input"
    http = 422
    dimse = 0xC000
    exit_code = 65


class Quarantined(LeadApronError):
    """The object is kept in quarantine: it could not be proven safe to forward."""

    code = "quarantined"
    http = 422
    dimse = 0xC000
    exit_code = 65


class NotFound(LeadApronError):
    """There is no such thing, or the caller may not know that there is."""

    code = "not-found"
    http = 404
    dimse = 0x0112
    exit_code = 66


class Denied(LeadApronError):
    """Policy said no, or had no answer, which is the same."""

    code = "denied"
    http = 403
    dimse = 0x0124
    exit_code = 77


class Conflict(LeadApronError):
    """The request contradicts what is already stored."""

    code = "conflict"
    http = 409
    dimse = 0x0111
    exit_code = 73


class IntegrityFailure(LeadApronError):
    """Bytes are not what their digest, tag or signature says."""

    code = "integrity"
    http = 500
    dimse = 0x0110
    exit_code = 76


class StorageFailure(LeadApronError):
    """A disk or database refused to keep something (full, read-only, broken)."""

    code = "storage"
    http = 507
    dimse = 0xA700
    exit_code = 74


class Unavailable(LeadApronError):
    """A part is not running or cannot be reached: port in use, engine without an answer."""

    code = "unavailable"
    http = 503
    dimse = 0x0122
    exit_code = 69
