"""One running instance that played the demo: shared by every end-to-end test of a worker."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from leadapron.app.demo.run import PEOPLE, Demo
from leadapron.app.running import Running, running
from leadapron.app.settings import Settings

WORKSTATIONS = ("READ_1", "READ_2", "READ_3", "SPARE")
"""AE titles that C-MOVE may send to in these tests."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class PlayedInstance:
    """A running instance after the demo. `links`: role → one-time sign-in address."""

    running: Running
    demo: Demo
    base_url: str
    summary: dict[str, Any]
    leaked_jpeg: Path

    def link(self, user: str) -> str:
        token, _ = self.running.instance.accounts.issue("link", user, 600_000)
        return f"{self.base_url}/#link={token}"

    def token(self, user: str, kind: str = "reader") -> str:
        return self.running.instance.accounts.issue(kind, user, 600_000)[0]

    @property
    def links(self) -> dict[str, str]:
        return {person.role.value: self.link(person.id) for person in reversed(PEOPLE)}

    @property
    def film_of_demo(self) -> Any:
        return self.demo.story.film


@pytest.fixture(scope="session")
def running_instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlayedInstance]:
    base = tmp_path_factory.mktemp("instance")
    settings = Settings(
        data=base / "data",
        keys=base / "keys",
        http_port=0,
        dimse_port=0,
        modalities=[],
        move_destinations={title: f"127.0.0.1:{free_port()}" for title in WORKSTATIONS},
    )
    with running(settings) as run:
        demo = Demo(run)
        summary = demo.play(lambda _number, _title: None)
        leaked = base / "leaked.jpg"
        leaked.write_bytes(demo.story.leaked)
        yield PlayedInstance(run, demo, run.url, summary, leaked)
