"""MLLP: HL7 v2 messages over TCP, one block at a time (HL7 Transport Specification, MLLP R1)."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterable

import structlog

from leadapron.edge.hl7 import LARGEST_MESSAGE
from leadapron.model import BadInput, Unavailable

log = structlog.get_logger(__name__)

START, END = b"\x0b", b"\x1c\r"
IDLE_S = 600.0
HANDSHAKE_S = 10.0
MOST_CONNECTIONS = 32
_READ = 65536

Answer = Callable[[bytes], bytes]
"""Takes one message without its frame, returns the acknowledgement."""


def tls_context(certificate: str, key: str, clients: str = "") -> ssl.SSLContext:
    """Return a server's context: TLS 1.2 or newer; with `clients` (PEM of CAs) mutual.

    Raises BadInput when a file cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key)
        if clients:
            context.load_verify_locations(clients)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ssl.SSLError) as error:
        raise BadInput(
            f"the TLS files of the HL7 listener cannot be used ({type(error).__name__})",
            remedy="hl7_tls_certificate, hl7_tls_key and hl7_tls_clients are PEM files",
            code="hl7-tls",
        ) from error
    return context


class MllpListener:
    """Listens, reads blocks, answers each before it reads the next; `port` is the real one.

    What is no block, too long or from a peer that is not on the list ends the connection.
    """

    def __init__(
        self,
        address: tuple[str, int],
        answer: Answer,
        *,
        peers: Iterable[str] = (),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`peers` are addresses or networks that may connect; none given: any."""
        self._address = address
        self._answer = answer
        self._peers = [_network(peer) for peer in peers]
        self._tls = tls
        self._listener: socket.socket | None = None
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self.port = 0

    def start(self) -> None:
        """Listen; Unavailable when the port is taken."""
        host, port = self._address
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            self._listener = socket.create_server((host, port), family=family, backlog=16)
        except OSError as error:
            raise Unavailable(
                f"cannot listen for HL7 on {host}:{port} ({error.strerror})",
                remedy="stop the other program or choose another hl7_port",
                code="port-in-use",
            ) from error
        self.port = self._listener.getsockname()[1]
        self._spawn(self._accept, self._listener)

    def stop(self) -> None:
        """Close the listener; a message in hand is answered first."""
        if self._listener is None:
            return
        with self._lock:
            listener, self._listener = self._listener, None
            waiting = [listener, *self._open]
        for connection in waiting:
            # Reading ends, the answer of what was read still goes out.
            _shut(connection, socket.SHUT_RD)
        listener.close()
        for thread in self._threads:
            thread.join(IDLE_S)

    def _spawn(self, target: Callable[[socket.socket], None], argument: socket.socket) -> None:
        thread = threading.Thread(target=target, args=(argument,), name="hl7", daemon=True)
        self._threads = [t for t in self._threads if t.is_alive()] + [thread]
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, peer = listener.accept()
            except OSError:
                return
            with self._lock:
                stopped, full = self._listener is None, len(self._open) >= MOST_CONNECTIONS
                if not (stopped or full) and self._allowed(peer[0]):
                    self._open.add(connection)
                    self._spawn(self._serve, connection)
                    continue
            log.warning("hl7.connection-refused", peer=peer[0], full=full)
            connection.close()

    def _allowed(self, peer: str) -> bool:
        address = ipaddress.ip_address(peer.split("%", maxsplit=1)[0])
        mapped = getattr(address, "ipv4_mapped", None)
        return not self._peers or any((mapped or address) in network for network in self._peers)

    def _serve(self, connection: socket.socket) -> None:
        try:
            connection.settimeout(HANDSHAKE_S)
            if self._tls is not None:
                plain, connection = connection, self._tls.wrap_socket(connection, server_side=True)
                with self._lock:
                    self._open.discard(plain)
                    self._open.add(connection)
            connection.settimeout(IDLE_S)
            self._converse(connection)
        except (OSError, ssl.SSLError) as error:
            log.info("hl7.connection-ended", error=type(error).__name__)
        finally:
            with self._lock:
                self._open.discard(connection)
            connection.close()

    def _converse(self, connection: socket.socket) -> None:
        held = bytearray()
        while (block := self._block(connection, held)) is not None:
            connection.sendall(START + self._answer(block) + END)

    def _block(self, connection: socket.socket, held: bytearray) -> bytes | None:
        """Take the next block out of `held`, reading as needed; None when there is none."""
        searched = 0
        while (end := held.find(END, searched)) < 0:
            searched = max(0, len(held) - 1)
            if len(held) > LARGEST_MESSAGE or (held and not held.startswith(START)):
                log.warning("hl7.no-block", read=len(held))
                return None
            more = connection.recv(_READ)
            if not more:
                return None
            held += more
        block = bytes(held[:end])
        del held[: end + len(END)]
        if not block.startswith(START):
            log.warning("hl7.no-block", read=len(block))
            return None
        return block[1:]


def _network(peer: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(peer, strict=False)
    except ValueError:
        raise BadInput(
            f"'{peer}' is no address or network",
            remedy="write 10.1.2.3 or 10.1.2.0/24 in hl7_peers",
        ) from None


def _shut(connection: socket.socket, how: int) -> None:
    try:
        connection.shutdown(how)
    except OSError:
        log.debug("hl7.already-closed")
