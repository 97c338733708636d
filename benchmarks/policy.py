"""Decisions per second: `decide` beside raw cedarpy on the same request, policies and schema.

    python benchmarks/policy.py [--seconds 2] [--json FILE]

Every timed call is checked: a row whose answer is wrong is an error, not a figure.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import cedarpy

from leadapron.model import AccessRequest, Action, Order, Recipient, Region, Role
from leadapron.policy import Engine
from leadapron.policy.translation import cedar_entities, cedar_request

AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
BATCH = 20


def order(number: int, **changes: Any) -> Order:
    made = Order(
        id=f"O{number:04}",
        patient="P1",
        accession=f"A{number}",
        need="rib_fracture",
        recipients=frozenset({"wang"}),
        valid_from=AT - timedelta(hours=1),
        valid_until=AT + timedelta(hours=1),
        study="1.2.3",
    )
    return replace(made, **changes)


def request(orders: int) -> AccessRequest:
    """One order that carries among `orders` candidates; the others have expired."""
    expired = [order(n, valid_until=AT) for n in range(1, orders)]
    return AccessRequest(
        recipient=Recipient("wang", Role.RADIOLOGIST, "radiology"),
        action=Action.VIEW,
        at=AT,
        patient="P1",
        study="1.2.3",
        sop_instance="1.2.3.4",
        orders=(order(0), *expired),
        available=frozenset(Region),
    )


def measure(call: Callable[[], bool], expected: bool, seconds: float) -> dict[str, float]:
    """Return decisions per CPU second, and wall-clock median and 99th percentile in µs.

    CPU time, because other work on the machine would otherwise be part of the figure; the
    latencies are means over small batches of calls and do contain it.
    """
    for _ in range(BATCH):
        check(call(), expected)
    samples, stop, cpu = [], time.perf_counter() + seconds, time.thread_time()
    while time.perf_counter() < stop:
        start = time.perf_counter()
        answers = [call() for _ in range(BATCH)]
        samples.append((time.perf_counter() - start) / BATCH)
        check(all(a is expected for a in answers), True)
    used = time.thread_time() - cpu
    cuts = statistics.quantiles(samples, n=100)
    return {
        "per_cpu_second": len(samples) * BATCH / used,
        "p50_us": statistics.median(samples) * 1e6,
        "p99_us": cuts[98] * 1e6,
    }


def check(answer: bool, expected: bool) -> None:
    if answer is not expected:
        raise SystemExit(f"wrong answer: {answer}, expected {expected}")


def rows(engine: Engine) -> list[tuple[str, Callable[[], bool], bool]]:
    one, many = request(1), request(50)
    refused = replace(one, orders=())
    emergency = replace(
        refused, breaker="open", break_glass=True, break_glass_reason="shock, no time for an order"
    )
    search = replace(many, action=Action.SEARCH)
    candidate = engine._candidates(one)[0]
    raw, entities = cedar_request(one, candidate), cedar_entities(one)

    def cedar(schema: Any, policies: Any) -> Callable[[], bool]:
        return lambda: cedarpy.is_authorized(raw, policies, entities, schema=schema).allowed

    return [
        ("decide: 1 order", lambda: engine.decide(one).allow, True),
        ("decide: 50 orders, 1 carries", lambda: engine.decide(many).allow, True),
        ("decide: no order, refused", lambda: engine.decide(refused).allow, False),
        ("decide: break-glass", lambda: engine.decide(emergency).allow, True),
        ("decide: search, 50 orders", lambda: engine.decide(search).allow, True),
        ("raw cedarpy, with schema", cedar(engine._schema, engine._policies), True),
        ("raw cedarpy, no schema (unsafe)", cedar(None, engine._policies), True),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0, help="time spent on each row")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    engine = Engine()
    figures = {}
    print(f"{'':34}{'per CPU s':>12}{'p50 µs':>10}{'p99 µs':>10}")
    for name, call, expected in rows(engine):
        figures[name] = row = measure(call, expected, options.seconds)
        print(f"{name:34}{row['per_cpu_second']:12,.0f}{row['p50_us']:10.0f}{row['p99_us']:10.0f}")
    if options.json:
        about = {
            "python": platform.python_version(),
            "machine": platform.machine(),
            "policy_version": engine.policy_version,
        }
        options.json.write_text(json.dumps({"about": about, "rows": figures}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
