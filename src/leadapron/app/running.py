"""A running instance: HTTP, DIMSE and the gateway's worker around one Instance."""

from __future__ import annotations

import contextlib
import fcntl
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
import uvicorn

from leadapron.app.api.server import create_app
from leadapron.app.beside import announced
from leadapron.app.dimse import DimseListener
from leadapron.app.instance import Instance
from leadapron.app.settings import InstanceFolder, Settings
from leadapron.delivery.query_service import QueryService
from leadapron.delivery.retrieve_service import RetrieveService
from leadapron.edge import Gateway, StorageService, StowForwarder
from leadapron.edge.mllp import MllpListener, tls_context
from leadapron.model import Unavailable

log = structlog.get_logger(__name__)

STARTUP_S = 30.0


@dataclass
class Running:
    """What runs, and where; `url` is the console's address."""

    instance: Instance
    gateway: Gateway
    dimse: DimseListener
    url: str
    server: uvicorn.Server
    hl7_port: int | None = None

    def wait(self) -> None:
        """Block until the HTTP server stops."""
        while not self.server.should_exit:
            time.sleep(0.2)


@contextlib.contextmanager
def running(settings: Settings) -> Iterator[Running]:
    """Start everything, yield it, stop it in order: listeners first, films in hand last.

    Raises Unavailable when a port is taken or another process runs this data folder.
    """
    settings.check_exposure()
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(_listen(settings))
        folder = InstanceFolder.open(settings.data, settings.keys, create=True)
        stack.enter_context(only_one(folder.data))
        instance = stack.enter_context(Instance.open(settings))
        url = f"http://{_printable(settings.host)}:{listener.getsockname()[1]}"
        token, _ = instance.accounts.issue("gateway", "edge")
        stack.callback(instance.accounts.sign_out, token)
        gateway = _gateway(instance, f"{url}/archive/studies", token)
        dimse = _dimse(instance, gateway)
        app = create_app(instance, gateway)
        dimse.start()
        app.state.dimse_port = dimse.port
        stack.callback(dimse.stop)
        server = stack.enter_context(_serve(app, listener))
        gateway.start()
        stack.callback(gateway.stop)
        instance.relinks.start()
        stack.callback(instance.relinks.stop)
        hl7 = _hl7(instance)
        if hl7 is not None:
            hl7.start()
            stack.callback(hl7.stop)
        operator, _ = instance.accounts.issue("operator", "local-operator")
        stack.callback(instance.accounts.sign_out, operator)
        stack.enter_context(announced(folder.keys, url, dimse.port, operator))
        yield Running(instance, gateway, dimse, url, server, hl7.port if hl7 else None)


def _hl7(instance: Instance) -> MllpListener | None:
    chosen = instance.settings
    if chosen.hl7_port is None:
        return None
    tls = None
    if chosen.hl7_tls_certificate is not None:
        key, clients = chosen.hl7_tls_key or "", chosen.hl7_tls_clients or ""
        tls = tls_context(str(chosen.hl7_tls_certificate), str(key), str(clients))
    address = (chosen.host, chosen.hl7_port)
    return MllpListener(address, instance.adt.answer, peers=chosen.hl7_peers, tls=tls)


def _dimse(instance: Instance, gateway: Gateway) -> DimseListener:
    settings = instance.settings
    query = QueryService(instance.searching, instance.policy)
    retrieve = RetrieveService(
        query, instance.delivery, instance.policy, instance.ledger, settings.destinations()
    )
    storage = StorageService(gateway, settings.modalities)
    return DimseListener(settings, storage, query, retrieve)


def _gateway(instance: Instance, archive_url: str, token: str) -> Gateway:
    return Gateway(
        instance.spool,
        instance.quarantine,
        instance.protector,
        StowForwarder(archive_url, token),
        instance.keystore.create("source-digest"),
        instance.settings.max_object_mb << 20,
    )


@contextlib.contextmanager
def _listen(settings: Settings) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((settings.host, settings.http_port))
            listener.listen(128)
        except OSError as error:
            raise Unavailable(
                f"cannot listen for HTTP on {settings.host}:{settings.http_port} "
                f"({error.strerror})",
                remedy="stop the other program or choose --http-port",
                code="port-in-use",
            ) from error
        yield listener


@contextlib.contextmanager
def only_one(data: Path) -> Iterator[None]:
    """Hold the data folder's lock; the kernel drops it when the process dies."""
    with (data / "instance.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Unavailable(
                f"another process runs the data folder {data}",
                remedy="use that one, stop it, or choose another --data DIR",
                code="already-running",
            ) from error
        yield


@contextlib.contextmanager
def _serve(app: Any, listener: socket.socket) -> Iterator[uvicorn.Server]:
    config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=5)
    server = uvicorn.Server(config)
    thread = threading.Thread(
        target=server.run, kwargs={"sockets": [listener]}, name="http", daemon=True
    )
    thread.start()
    deadline = time.monotonic() + STARTUP_S
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            raise Unavailable("the HTTP server did not start", remedy="see the log above")
        time.sleep(0.02)
    try:
        yield server
    finally:
        server.should_exit = True
        thread.join(15)


def _printable(host: str) -> str:
    return f"[{host}]" if ":" in host else host
