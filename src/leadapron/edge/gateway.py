"""Spool first, then work: what the gateway answered Success for is never lost."""

from __future__ import annotations

import hashlib
import hmac
import statistics
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from leadapron.edge.forward import Forwarder
from leadapron.edge.pipeline import Protector, read_part10, write_part10
from leadapron.model import BadInput, LeadApronError, StorageFailure, Unavailable
from leadapron.store.encrypted_folder import EncryptedFolder, Item

log = structlog.get_logger(__name__)

RETRY_FIRST_S, RETRY_LONGEST_S = 0.5, 60.0


@dataclass
class Counters:
    """What the console shows of the gateway since start; `work_ms` holds recent films."""

    processed: int = 0
    duplicates: int = 0
    last_received_ms: int | None = None
    work_ms: deque[float] = field(default_factory=lambda: deque(maxlen=200))

    @property
    def p50_ms(self) -> float | None:
        """Median time of a film through the pipeline."""
        return statistics.median(self.work_ms) if self.work_ms else None


class Gateway:
    """Takes films in, protects them one by one, forwards them.

    `spool` and `quarantine` are encrypted folders; a film leaves the spool only after the
    archive has it, or quarantine has.
    """

    def __init__(
        self,
        spool: EncryptedFolder,
        quarantine: EncryptedFolder,
        protector: Callable[[], Protector],
        forwarder: Forwarder,
        digest_key: bytes,
        max_bytes: int = 1 << 30,
    ) -> None:
        """`protector` is called in the worker's thread: loading the network takes time."""
        self.spool = spool
        self.quarantine = quarantine
        self.counters = Counters()
        self._make_protector = protector
        self._forwarder = forwarder
        self._digest_key = digest_key
        self.max_bytes = max_bytes
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def receive(self, part10: bytes, calling_ae: str) -> str:
        """Keep one object; durable on return. Return its spool name.

        Raises BadInput when it is larger than the limit, StorageFailure when the disk refuses.
        """
        if len(part10) > self.max_bytes:
            raise BadInput(
                f"the object has {len(part10) >> 20} MiB, more than {self.max_bytes >> 20}",
                remedy="raise max_object_mb, or send the frames apart",
                code="too-large",
            )
        name = f"{time.time_ns():020d}-{uuid.uuid4().hex[:12]}"
        self.spool.write(name, part10, {"calling_ae": calling_ae})
        self.counters.last_received_ms = _now_ms()
        self._wake.set()
        return name

    def start(self) -> None:
        """Work through the spool, what an earlier run left included."""
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name="edge-worker", daemon=True)
        self._thread.start()
        self._wake.set()

    def stop(self) -> None:
        """Finish the film in hand and stop; the rest stays in the spool."""
        self._stop.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def process(self, name: str, protector: Protector) -> None:
        """Carry one spooled object to the archive or to quarantine.

        Raises Unavailable or StorageFailure when it has to wait in the spool.
        """
        item = self.spool.item(name)
        part10 = self.spool.read(name)
        start = time.perf_counter()
        try:
            protected = protector.protect(read_part10(part10))
            sealed = write_part10(protected.dataset)
            self._forwarder.send(sealed, self._source_digest(part10))
        except (Unavailable, StorageFailure):
            raise
        except LeadApronError as error:
            self._hold(item, part10, error)
            return
        except Exception as error:
            log.exception("edge.failed", item=name)
            self._hold(item, part10, _unexpected(error))
            return
        self.spool.delete(name)
        self.counters.processed += 1
        self.counters.work_ms.append((time.perf_counter() - start) * 1000)
        log.info("edge.forwarded", item=name, **protected.timings)

    def release(self, name: str) -> None:
        """Put a quarantined object back into the spool, to be tried again."""
        item = self.quarantine.item(name)
        self.spool.write(name, self.quarantine.read(name), {"calling_ae": item.meta["calling_ae"]})
        self.quarantine.delete(name)
        self._wake.set()

    def _hold(self, item: Item, part10: bytes, error: LeadApronError) -> None:
        meta = {**error.as_dict(), "calling_ae": item.meta.get("calling_ae", "")}
        self.quarantine.write(item.name, part10, meta)
        self.spool.delete(item.name)
        log.warning("edge.quarantined", item=item.name, code=error.slug)

    def _source_digest(self, part10: bytes) -> str:
        """Keyed, so that the archive can't test guesses about the film."""
        body = part10[132:] if part10[128:132] == b"DICM" else part10
        return hmac.new(self._digest_key, _without_meta(body), hashlib.sha256).hexdigest()

    def _run(self) -> None:
        protector = self._make_protector()
        delay = RETRY_FIRST_S
        while not self._stop.is_set():
            self._wake.clear()
            waiting = self._drain(protector)
            delay = min(delay * 2, RETRY_LONGEST_S) if waiting else RETRY_FIRST_S
            self._wake.wait(delay if waiting else None)

    def _drain(self, protector: Protector) -> bool:
        """Process the spool, oldest first; return True if something has to wait."""
        for item in self.spool.list():
            if self._stop.is_set():
                return False
            try:
                self.process(item.name, protector)
            except LeadApronError as error:
                log.warning("edge.waiting", item=item.name, code=error.slug)
                return True
        return False


def _without_meta(body: bytes) -> bytes:
    """Cut off the file meta group (PS3.10 7.1): its implementation names vary by sender."""
    if body[:4] != b"\x02\x00\x00\x00" or body[4:6] != b"UL":
        return body
    length = int.from_bytes(body[8:12], "little")
    return body[12 + length :]


def _unexpected(error: Exception) -> LeadApronError:
    return LeadApronError(
        f"the pipeline failed on this object ({type(error).__name__})",
        remedy="keep it here and report the failure with the log's traceback",
        code="pipeline-failure",
    )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
