"""What the gateway answered Success for is never lost, and never forwarded unproven."""

from __future__ import annotations

from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

from leadapron.edge import Gateway, read_part10
from leadapron.edge.pipeline import Protected
from leadapron.model import BadInput, LeadApronError, Quarantined, RegionMap, Unavailable
from leadapron.store.encrypted_folder import EncryptedFolder

FILM = open(get_testdata_file("CT_small.dcm"), "rb").read()  # noqa: SIM115, PTH123


@dataclass
class FakeProtector:
    """Stands in for the pipeline; `error` is raised instead of protecting."""

    error: Exception | None = None

    def protect(self, dataset: Dataset) -> Any:
        if self.error:
            raise self.error
        return Protected(dataset, RegionMap.whole((1, 1)), None, {})  # type: ignore[arg-type]


@dataclass
class FakeForwarder:
    """Stands in for the archive."""

    error: Exception | None = None
    sent: list[tuple[bytes, str]] = field(default_factory=list)

    def send(self, part10: bytes, source_digest: str) -> None:
        if self.error:
            raise self.error
        self.sent.append((part10, source_digest))


@pytest.fixture
def parts(tmp_path):
    forwarder, protector = FakeForwarder(), FakeProtector()
    gateway = Gateway(
        EncryptedFolder(tmp_path / "spool", b"s" * 32),
        EncryptedFolder(tmp_path / "quarantine", b"q" * 32),
        lambda: protector,
        forwarder,
        b"d" * 32,
        max_bytes=1 << 22,
    )
    return gateway, protector, forwarder


def test_a_film_leaves_the_spool_only_after_the_archive_has_it(parts):
    gateway, protector, forwarder = parts
    name = gateway.receive(FILM, "CR1")
    forwarder.error = Unavailable("down", remedy="wait")
    with pytest.raises(Unavailable):
        gateway.process(name, protector)
    assert gateway.spool.read(name) == FILM
    forwarder.error = None
    gateway.process(name, protector)
    assert len(forwarder.sent) == 1
    assert len(gateway.spool) == 0


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Quarantined("no", remedy="look", code="burned-in-text"), "burned-in-text"),
        (BadInput("no", remedy="look", code="malformed"), "malformed"),
        (ZeroDivisionError("a bug"), "pipeline-failure"),
        (MemoryError(), "pipeline-failure"),
    ],
)
def test_what_fails_is_quarantined_whole_with_its_reason(parts, error, code):
    gateway, protector, forwarder = parts
    protector.error = error
    gateway.process(gateway.receive(FILM, "CR1"), protector)
    (item,) = gateway.quarantine.list()
    assert item.meta["code"] == code
    assert item.meta["remedy"]
    assert item.meta["calling_ae"] == "CR1"
    assert gateway.quarantine.read(item.name) == FILM
    assert len(gateway.spool) == 0
    assert not forwarder.sent


def test_a_released_object_is_tried_again(parts):
    gateway, protector, forwarder = parts
    protector.error = Quarantined("no", remedy="look")
    name = gateway.receive(FILM, "CR1")
    gateway.process(name, protector)
    protector.error = None
    gateway.release(name)
    assert len(gateway.quarantine) == 0
    gateway.process(name, protector)
    assert len(forwarder.sent) == 1


def test_the_same_film_from_two_senders_has_one_source_digest(parts):
    gateway, protector, forwarder = parts
    dataset = read_part10(FILM)
    dataset.file_meta.ImplementationVersionName = "OTHER_SENDER"
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    for data in (FILM, buffer.getvalue()):
        gateway.process(gateway.receive(data, "CR1"), protector)
    (_, first), (_, second) = forwarder.sent
    assert first == second


def test_an_object_beyond_the_limit_is_refused_before_it_is_kept(parts):
    gateway, _, _ = parts
    with pytest.raises(BadInput, match="MiB"):
        gateway.receive(b"x" * ((1 << 22) + 1), "CR1")
    assert len(gateway.spool) == 0


def test_a_restarted_gateway_finishes_what_the_last_one_left(parts, tmp_path):
    gateway, _, _ = parts
    gateway.receive(FILM, "CR1")
    forwarder = FakeForwarder()
    again = Gateway(
        EncryptedFolder(tmp_path / "spool", b"s" * 32),
        gateway.quarantine,
        FakeProtector,
        forwarder,
        b"d" * 32,
    )
    again.start()
    for _ in range(200):
        if forwarder.sent:
            break
        again._stop.wait(0.02)
    again.stop()
    assert len(forwarder.sent) == 1
    assert len(again.spool) == 0


def test_the_spool_shows_nothing_of_the_film(parts, tmp_path):
    gateway, _, _ = parts
    gateway.receive(FILM, "CR1")
    for path in (tmp_path / "spool").iterdir():
        data = path.read_bytes()
        assert b"DICM" not in data
        assert b"CompressedSamples" not in data


@pytest.mark.parametrize(
    "data",
    [b"", b"hello" * 100, FILM[:200], FILM[: len(FILM) // 2], b"\0" * 128 + b"DICM" + b"\xff" * 64],
)
def test_bad_files_get_a_clear_error_or_are_quarantined(data):
    from leadapron.deid import MemoryVault, Profile
    from leadapron.edge import deidentify_film

    with pytest.raises(LeadApronError) as caught:
        deidentify_film(read_part10(data), Profile.gateway(), MemoryVault(b"k" * 32))
    assert caught.value.slug
    assert caught.value.remedy
