"""One DIMSE listener for the gateway's storage side and delivery's query side."""

from __future__ import annotations

from typing import Any

from pynetdicom import _config

from leadapron.app.settings import Settings
from leadapron.delivery.query_service import QueryService
from leadapron.delivery.retrieve_service import Entity, RetrieveService
from leadapron.edge import StorageService
from leadapron.model import Unavailable

_config.LOG_HANDLER_LEVEL = "none"


class DimseListener:
    """Starts and stops the application entity; `port` is the real one after start."""

    def __init__(
        self, settings: Settings, *services: StorageService | QueryService | RetrieveService
    ) -> None:
        self._settings = settings
        self._services = services
        self._server: Any = None
        self.port = 0

    def start(self) -> None:
        """Listen; Unavailable when the port is taken."""
        ae = Entity(ae_title=self._settings.ae_title)
        ae.maximum_pdu_size = 0
        ae.maximum_associations = 32
        ae.network_timeout = 120
        handlers: list[Any] = []
        for service in self._services:
            service.add_contexts(ae)
            handlers += service.handlers()
        address = (self._settings.host, self._settings.dimse_port)
        try:
            self._server = ae.start_server(address, block=False, evt_handlers=handlers)
        except OSError as error:
            raise Unavailable(
                f"cannot listen for DIMSE on {address[0]}:{address[1]} ({error.strerror})",
                remedy="stop the other program or choose --dimse-port",
                code="port-in-use",
            ) from error
        self.port = self._server.socket.getsockname()[1]

    def stop(self) -> None:
        """Close the listener and its associations."""
        if self._server is not None:
            self._server.shutdown()
            self._server = None
