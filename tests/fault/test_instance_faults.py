"""Kill it, fill its disk, take its port: nothing is lost, nothing leaks half-done."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from pynetdicom import AE

from leadapron.app.demo.film import Patient, identified_film

pytestmark = pytest.mark.fault


class Server:
    """`leadapron up` in a process of its own."""

    def __init__(self, base: Path, *, wrapper: tuple[str, ...] = ()) -> None:
        self.process = subprocess.Popen(
            [
                *wrapper, sys.executable, "-m", "leadapron", "up", "--json",
                "--data", str(base / "data"), "--keys", str(base / "keys"),
                "--http-port", "0", "--dimse-port", "0",
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        self.state = json.loads(self.process.stdout.readline())

    def store(self, film) -> int:
        ae = AE(ae_title="CR1")
        ae.add_requested_context(film.SOPClassUID, [film.file_meta.TransferSyntaxUID])
        assoc = ae.associate("127.0.0.1", self.state["dimse_port"], ae_title="LEADAPRON")
        assert assoc.is_established
        status = assoc.send_c_store(film)
        assoc.release()
        return int(status.Status)

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        self.process.communicate(timeout=60)
        return self.process.returncode


def leadapron(*arguments: str) -> tuple[int, dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "leadapron", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, json.loads(done.stdout)


def films(base: Path) -> int:
    code, answer = leadapron("fsck", "--data", str(base / "data"), "--json")
    assert code == 0, answer
    return int(answer["films"])


def wait_for_films(base: Path, count: int) -> None:
    deadline = time.monotonic() + 120
    while films(base) < count:
        assert time.monotonic() < deadline
        time.sleep(0.5)


@pytest.mark.parametrize("delay", [0.0, 1.5])
def test_a_film_acknowledged_before_a_kill_arrives_after_the_restart(tmp_path, delay):
    first = Server(tmp_path)
    assert first.store(identified_film(Patient())) == 0
    time.sleep(delay)
    first.end(signal.SIGKILL)
    second = Server(tmp_path)
    wait_for_films(tmp_path, 1)
    time.sleep(0.5)
    assert films(tmp_path) == 1
    second.end(signal.SIGTERM)
    code, _ = leadapron("ledger", "verify", "--data", str(tmp_path / "data"), "--json")
    assert code == 0


def test_a_full_disk_refuses_the_film_and_keeps_running(tmp_path):
    Server(tmp_path).end(signal.SIGTERM)

    # 1 MiB a file, and the signal of the limit ignored so that write() fails instead
    limited = ("sh", "-c", "trap '' XFSZ; ulimit -f 2048; exec \"$@\"", "sh")
    full = Server(tmp_path, wrapper=limited)
    assert full.store(identified_film(Patient())) == 0xA700
    assert full.process.poll() is None
    full.end(signal.SIGTERM)
    assert films(tmp_path) == 0
    again = Server(tmp_path)
    assert again.store(identified_film(Patient())) == 0
    wait_for_films(tmp_path, 1)
    again.end(signal.SIGTERM)


def test_a_taken_port_is_named_with_the_remedy(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        for option in ("--http-port", "--dimse-port"):
            other = "--dimse-port" if option == "--http-port" else "--http-port"
            code, answer = leadapron(
                "up", "--json", "--data", str(tmp_path / "data"), "--keys", str(tmp_path / "keys"),
                option, port, other, "0",
            )  # fmt: skip
            assert code == 69
            assert answer["error"]["code"] == "port-in-use"
            assert option in answer["error"]["remedy"]


def test_a_second_process_on_one_data_folder_is_refused(tmp_path):
    first = Server(tmp_path)
    code, answer = leadapron(
        "up", "--json", "--data", str(tmp_path / "data"), "--http-port", "0", "--dimse-port", "0"
    )
    assert code == 69
    assert answer["error"]["code"] == "already-running"
    assert first.end(signal.SIGTERM) == 0


def test_keys_below_data_and_open_listeners_are_refused(tmp_path):
    data = tmp_path / "data"
    code, answer = leadapron("up", "--json", "--data", str(data), "--keys", str(data / "keys"))
    assert code == 65
    assert answer["error"]["code"] == "keys-beside-data"
    code, answer = leadapron(
        "up", "--json", "--data", str(tmp_path / "d2"), "--keys", str(tmp_path / "k2"),
        "--host", "0.0.0.0",
    )  # fmt: skip
    assert code == 65
    assert answer["error"]["code"] == "exposed-file-keys"


def test_commands_work_beside_a_running_instance(tmp_path):
    server = Server(tmp_path)
    done = subprocess.run(
        [
            sys.executable, "-m", "leadapron", "user", "add", "li", "--role", "radiologist",
            "--data", str(tmp_path / "data"), "--json",
        ],
        input="a long password\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    code, answer = leadapron("ledger", "verify", "--data", str(tmp_path / "data"), "--json")
    assert (code, answer["size"]) == (0, 1)
    server.end(signal.SIGTERM)
