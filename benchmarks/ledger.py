"""How fast the log appends, proves and verifies, beside the disk's own speed and pymerkle.

    python benchmarks/ledger.py [--entries 100000] [--dir DIR] [--json FILE]

Every append is durable before it is counted. Put DIR on the disk that the log will live on: the
figures follow from how long that disk takes to fsync, which the first row shows.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from leadapron.ledger import Ledger, Signer, evidence, verify, verify_evidence

ENTRY = {
    "kind": "view",
    "view_id": "7f3c2f0e9a5b4c1d",
    "recipient": "radiology-017",
    "sop_instance": "2.25.329800735698586629295641978511506172918",
    "order": "ORD-2026-0042",
    "regions": ["heart", "left_lung", "right_lung"],
    "channel": "console",
}


def rate(count: int, work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return count / (time.perf_counter() - started)


def median_ms(count: int, work: Callable[[int], object]) -> float:
    times = []
    for i in range(count):
        started = time.perf_counter()
        work(i)
        times.append(time.perf_counter() - started)
    return statistics.median(times) * 1000


def raw_disk(folder: Path) -> float:
    descriptor = os.open(folder / "raw", os.O_WRONLY | os.O_CREAT)

    def write() -> None:
        for _ in range(200):
            os.write(descriptor, b"x" * 300)
            os.fdatasync(descriptor)

    try:
        return rate(200, write)
    finally:
        os.close(descriptor)


def with_threads(ledger: Ledger, threads: int, each: int) -> float:
    def work() -> None:
        for _ in range(each):
            ledger.append(ENTRY)

    def run() -> None:
        running = [threading.Thread(target=work) for _ in range(threads)]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()

    return rate(threads * each, run)


def one_by_one(ledger: Ledger, count: int) -> float:
    def work() -> None:
        for _ in range(count):
            ledger.append(ENTRY)

    return rate(count, work)


def in_batches(ledger: Ledger, size: int, total: int) -> float:
    def work() -> None:
        for _ in range(total // size):
            ledger.append_many([ENTRY] * size)

    return rate(total // size * size, work)


def peer(folder: Path) -> list[tuple[str, float, str]]:
    try:
        import pymerkle
    except ImportError:
        print("pymerkle is not installed: its rows are left out", file=sys.stderr)
        return []
    data = json.dumps(ENTRY).encode()
    with pymerkle.SqliteTree(str(folder / "peer.db"), algorithm="sha256") as tree:

        def work() -> None:
            for _ in range(300):
                tree.append_entry(data)

        rows = [("pymerkle SQLite, one by one (unsigned)", rate(300, work), "entries/s")]
        tree.append_entries([data] * 20_000, chunksize=1000)
        proof = median_ms(3, lambda i: tree.prove_inclusion(100 + i, 20_000))
        return [*rows, ("pymerkle SQLite, one proof of 20 000", proof, "ms")]


def measure(folder: Path, entries: int) -> list[tuple[str, float, str]]:
    signer = Signer.generate("benchmark.example/log")
    path, seen = folder / "log", folder / "seen"
    rows = [("the disk: write 300 bytes, fdatasync", raw_disk(folder), "writes/s")]
    with Ledger.open(path, signer, seen=seen) as ledger:
        rows += [
            ("append, one by one", one_by_one(ledger, 300), "entries/s"),
            ("append, 16 threads", with_threads(ledger, 16, 60), "entries/s"),
            ("append, 64 threads", with_threads(ledger, 64, 30), "entries/s"),
            ("append_many of 100", in_batches(ledger, 100, 5000), "entries/s"),
            ("append_many of 1000", in_batches(ledger, 1000, 20_000), "entries/s"),
            ("append_many of 10000", in_batches(ledger, 10_000, 40_000), "entries/s"),
        ]
        ledger.append_many([ENTRY] * max(0, entries - ledger.size))
        size = ledger.size
        rows += [
            (f"one inclusion proof of {size}", median_ms(50, lambda i: ledger.prove(i * 97)), "ms"),
            ("one entry", median_ms(50, lambda i: ledger.entry(i * 97)), "ms"),
        ]
        package = evidence(ledger, 4242)
        checked = median_ms(20, lambda _: verify_evidence(package, signer.vkeys))
        rows += [("check one evidence package", checked, "ms")]
    started = time.perf_counter()
    report = verify(path, signer.vkeys, seen)
    seconds = time.perf_counter() - started
    if not report.intact:
        raise SystemExit(f"the benchmark's own log does not verify: {report.problems}")
    started = time.perf_counter()
    Ledger.open(path, signer, seen=seen).close()
    opening = (time.perf_counter() - started) * 1000
    rows += [
        (f"verify all {size} entries", seconds, "s"),
        ("verify", size / seconds, "entries/s"),
        (f"open a log of {size}", opening, "ms"),
    ]
    return rows + peer(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument("--dir", type=Path, help="folder on the disk to measure")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.dir) as folder:
        rows = measure(Path(folder), arguments.entries)
    for name, value, unit in rows:
        print(f"{name:44} {value:12,.1f} {unit}")
    if arguments.json:
        named = [{"name": n, "value": v, "unit": u} for n, v, u in rows]
        arguments.json.write_text(json.dumps(named, indent=1))


if __name__ == "__main__":
    main()
