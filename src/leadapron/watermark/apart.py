"""Decode a file from outside in a process of its own.

Whoever publishes a copy knows that the hospital will open it. Decoders of pictures and films have
a long list of memory faults; here they run without the keys, with bounds on memory, time and
files, and their death is only an answer.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from contextlib import suppress
from typing import Any

import numpy as np

from leadapron.model import BadInput, LeadApronError
from leadapron.watermark.media import Media, Shot, read_media
from leadapron.watermark.pictures import check_size

MEMORY = 4 << 30
SECONDS = 120
COMMAND = (sys.executable, "-I", "-m", "leadapron.watermark.apart")
_KINDS = {"uint8", "uint16"}


def read_apart(data: bytes) -> Media:
    """Return `read_media(data)`, computed by a child process under bounds.

    Raises:
        BadInput: as `read_media`, or the file brought its decoder down.
    """
    check_size(data)
    try:
        done = subprocess.run(
            COMMAND, input=data, capture_output=True, timeout=2 * SECONDS, check=False, env={}
        )
    except subprocess.TimeoutExpired as error:
        raise _fell("took too long") from error
    if done.returncode != 0:
        raise _fell("brought its decoder down")
    return _received(done.stdout)


def _fell(what: str) -> BadInput:
    return BadInput(
        f"The file {what}; nothing of it was used.",
        remedy="Open it on a machine that may be lost, take a screenshot, and trace that.",
        code="undecodable",
    )


def _received(answer: bytes) -> Media:
    head, _, body = answer.partition(b"\n")
    told = json.loads(head)
    if "error" in told:
        raise BadInput(told["message"], remedy=told["remedy"], code=told["error"])
    shots, start = [], 0
    for item in told["shots"]:
        if item["dtype"] not in _KINDS:
            raise _fell("was decoded into something unknown")
        shape = tuple(int(n) for n in item["shape"])
        size = int(np.prod(shape))
        pixels = np.frombuffer(body, item["dtype"], size, start).reshape(shape)
        start += pixels.nbytes
        shots.append(Shot(pixels, int(item["number"]), int(item["at_ms"])))
    return Media(str(told["kind"]), int(told["frames"]), tuple(shots))


def _bound() -> None:
    """Give up what decoding does not need; a bound the system does not know is left out."""
    for what, limit in (
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_CPU, SECONDS),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        with suppress(ValueError, OSError):
            resource.setrlimit(what, (limit, limit))


def _send(media: Media) -> None:
    shots: list[dict[str, Any]] = [
        {
            "shape": list(shot.pixels.shape),
            "dtype": str(shot.pixels.dtype),
            "number": shot.number,
            "at_ms": shot.at_ms,
        }
        for shot in media.shots
    ]
    head = {"kind": media.kind, "frames": media.frames, "shots": shots}
    out = sys.stdout.buffer
    out.write(json.dumps(head).encode() + b"\n")
    for shot in media.shots:
        out.write(np.ascontiguousarray(shot.pixels).data)


def _child() -> None:
    _bound()
    try:
        _send(read_media(sys.stdin.buffer.read()))
    except LeadApronError as error:
        told = {"error": error.slug, "message": error.message, "remedy": error.remedy}
        sys.stdout.buffer.write(json.dumps(told).encode() + b"\n")


if __name__ == "__main__":
    _child()
