"""The encrypted list of what a seal holds."""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from leadapron.model import Region
from leadapron.seal.attributes import Originals, decode, encode
from leadapron.seal.pixels import PixelFormat
from leadapron.seal.suite import VERSION, padded, tampered

PIXELS = "pixels"
CODESTREAM = "codestream"
_MAX_BYTES = 1 << 30


@dataclass(frozen=True)
class CellRecord:
    """One cell: where it is kept, which regions it belongs to, and its ciphertext's digest."""

    frame: int
    cell: int
    regions: frozenset[Region]
    pixels: int
    sha256: str


@dataclass(frozen=True)
class FrameRecord:
    """One frame: digests of its original and stored words, and what the network said."""

    sha256: str
    stored_sha256: str
    in_domain: bool = True
    reasons: tuple[str, ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict)
    model_version: str = ""


@dataclass(frozen=True)
class Manifest:
    """What was sealed.

    Attributes:
        sop_instance_uid: of the object it belongs to.
        transfer_syntax: of the object before sealing.
        form: ``pixels`` (cells of decoded words) or ``codestream`` (frames as received).
        format: the Image Pixel attributes before sealing.
        stored: the same, of the object at rest.
        vr: of Pixel Data before sealing, OB or OW.
        encoded_sha256: digest of the stored Pixel Data value, for a check without decoding.
        originals: attributes to restore.
    """

    sop_instance_uid: str
    profile: str
    transfer_syntax: str
    form: str
    format: PixelFormat
    stored: PixelFormat
    vr: str
    encoded_sha256: str
    frames: tuple[FrameRecord, ...]
    cells: tuple[CellRecord, ...]
    originals: Originals

    @property
    def regions(self) -> tuple[Region, ...]:
        """The regions that can be unsealed, in the vocabulary's order."""
        found = frozenset[Region]().union(*(c.regions for c in self.cells))
        return tuple(r for r in Region if r in found)

    @property
    def in_domain(self) -> bool:
        """Whether every frame was recognised as a frontal chest film."""
        return all(f.in_domain for f in self.frames)

    @property
    def model_version(self) -> str:
        """The network that drew the regions, of the first frame."""
        return self.frames[0].model_version

    @property
    def pixel_digest(self) -> str:
        """SHA-256 of the original frame; of several, that of their digests in order."""
        if len(self.frames) == 1:
            return self.frames[0].sha256
        digests = b"".join(bytes.fromhex(f.sha256) for f in self.frames)
        return hashlib.sha256(digests).hexdigest()

    def to_plaintext(self) -> bytes:
        """Return the padded plaintext of the manifest's ciphertext."""
        parts = [
            json.dumps(self._as_json(), separators=(",", ":"), sort_keys=True).encode("ascii"),
            encode(self.originals.pixel),
            encode(self.originals.display),
            encode(self.originals.content),
        ]
        body = b"".join(struct.pack("<I", len(p)) + p for p in parts)
        packed = zlib.compress(body, 6)
        return padded(struct.pack("<I", len(packed)) + packed)

    @classmethod
    def from_plaintext(cls, plaintext: bytes) -> Manifest:
        """Return the manifest; IntegrityFailure if it is malformed."""
        try:
            text, pixel, display, content = _split(plaintext)
            originals = Originals()
            originals.pixel = decode(pixel)
            originals.display = decode(display)
            originals.content = decode(content)
            return _from_json(json.loads(text), originals)
        except (struct.error, zlib.error, ValueError, KeyError, TypeError) as exc:
            raise tampered("its manifest is malformed") from exc

    def _as_json(self) -> dict[str, Any]:
        return {
            "version": VERSION.decode(),
            "sop_instance_uid": self.sop_instance_uid,
            "profile": self.profile,
            "transfer_syntax": self.transfer_syntax,
            "form": self.form,
            "format": self.format.as_dict(),
            "stored": self.stored.as_dict(),
            "vr": self.vr,
            "encoded_sha256": self.encoded_sha256,
            "frames": [
                {
                    "sha256": f.sha256,
                    "stored_sha256": f.stored_sha256,
                    "in_domain": f.in_domain,
                    "reasons": list(f.reasons),
                    "scores": dict(f.scores),
                    "model_version": f.model_version,
                }
                for f in self.frames
            ],
            "cells": [[c.frame, c.cell, sorted(c.regions), c.pixels, c.sha256] for c in self.cells],
        }


def _from_json(data: dict[str, Any], originals: Originals) -> Manifest:
    if data["version"] != VERSION.decode():
        raise ValueError("another version")
    return Manifest(
        sop_instance_uid=data["sop_instance_uid"],
        profile=data["profile"],
        transfer_syntax=data["transfer_syntax"],
        form=data["form"],
        format=PixelFormat(**data["format"]),
        stored=PixelFormat(**data["stored"]),
        vr=data["vr"],
        encoded_sha256=data["encoded_sha256"],
        frames=tuple(
            FrameRecord(
                f["sha256"], f["stored_sha256"], f["in_domain"],
                tuple(f["reasons"]), f["scores"], f["model_version"],
            )
            for f in data["frames"]
        ),
        cells=tuple(
            CellRecord(frame, cell, frozenset(Region(r) for r in regions), pixels, sha256)
            for frame, cell, regions, pixels, sha256 in data["cells"]
        ),
        originals=originals,
    )  # fmt: skip


def _split(plaintext: bytes) -> list[bytes]:
    size = struct.unpack_from("<I", plaintext)[0]
    inflater = zlib.decompressobj()
    body = inflater.decompress(plaintext[4 : 4 + size], _MAX_BYTES)
    if not inflater.eof:
        raise ValueError("truncated")
    parts = []
    at = 0
    for _ in range(4):
        size = struct.unpack_from("<I", body, at)[0]
        parts.append(body[at + 4 : at + 4 + size])
        at += 4 + size
    if at != len(body):
        raise ValueError("wrong length")
    return parts
