"""HL7 ADT over MLLP: ``python benchmarks/hl7_adt.py [--messages N]``.

A real instance on a fresh folder takes messages from one sender over one connection, each after
the answer to the one before, as interface engines send. Printed for each kind: messages a second
by the clock and by processor time, and how many were answered AA. A taken message is durable and
in the ledger before its answer, so that the disk sets the pace.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from leadapron.app.instance import Instance
from leadapron.app.settings import Settings
from leadapron.deid.vault import PATIENT, Link
from leadapron.edge.mllp import MllpListener

END = b"\x1c\r"


def message(event: str, control: str, *segments: str) -> bytes:
    """Return one ADT message in MLLP's frame."""
    head = f"MSH|^~\\&|HIS|H|LEADAPRON|RAD|20260302101112||ADT^{event}|{control}|P|2.5||||||"
    head += "UNICODE UTF-8"
    return b"\x0b" + ("\r".join([head, *segments]) + "\r").encode() + END


def correction(number: str, control: str) -> bytes:
    return message("A08", control, f"PID|1||{number}^^^H^MR||测试^某{number}||19700102|F")


def merge(number: str, control: str) -> bytes:
    return message("A40", control, f"PID|1||{number}^^^H^MR||测试^某", f"MRG|OLD{number}^^^H^MR")


def ask(connection: socket.socket, raw: bytes) -> bytes:
    connection.sendall(raw)
    answer = b""
    while not answer.endswith(END):
        part = connection.recv(65536)
        if not part:
            raise ConnectionError("the listener closed the connection")
        answer += part
    return answer


@contextlib.contextmanager
def listening(folder: Path) -> Iterator[tuple[Instance, int]]:
    os.environ["XDG_STATE_HOME"] = str(folder / "state")
    settings = Settings.of(data=folder / "data", hl7_senders=["HIS|H"])
    with Instance.open(settings) as here:
        listener = MllpListener(("127.0.0.1", 0), here.adt.answer)
        listener.start()
        try:
            yield here, listener.port
        finally:
            listener.stop()


def known(here: Instance, count: int) -> None:
    """Let the instance have seen films of these patients."""
    here.vault.remember(
        Link(PATIENT, number, here.vault.own_pseudonym(PATIENT, number), json.dumps({"id": number}))
        for number in (f"{prefix}{n}" for n in range(count) for prefix in ("", "OLD"))
    )


def rate(port: int, messages: list[bytes]) -> dict[str, Any]:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(60)
        clock, used = time.perf_counter(), time.process_time()
        taken = sum(b"MSA|AA" in ask(connection, raw) for raw in messages)
        used, clock = time.process_time() - used, time.perf_counter() - clock
    return {
        "messages/s": round(len(messages) / clock, 1),
        "messages/s of processor time": round(len(messages) / used, 1),
        "answered AA": f"{taken}/{len(messages)}",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=200)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    numbers = [str(n) for n in range(options.messages)]
    with tempfile.TemporaryDirectory() as folder, listening(Path(folder)) as (here, port):
        known(here, options.messages)
        strangers = [correction(f"77{n}", f"s{n}") for n in numbers]
        results = {
            "A08, no film here": rate(port, strangers),
            "A08, films here": rate(port, [correction(n, f"c{n}") for n in numbers]),
            "A40 merge": rate(port, [merge(n, f"m{n}") for n in numbers]),
            "the same A40 again": rate(port, [merge(n, f"m{n}") for n in numbers]),
        }
    for kind, row in results.items():
        print(f"  {kind:22} {row}")
    if options.json:
        options.json.write_text(json.dumps(results, ensure_ascii=False, indent=1) + "\n")


if __name__ == "__main__":
    main()
