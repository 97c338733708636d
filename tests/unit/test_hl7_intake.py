"""ADT over MLLP, sent by another library's client: durable before AA, once, in order."""

from __future__ import annotations

import datetime
import socket
import ssl
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from hl7.client import MLLPClient
from hl7apy.core import Message
from hospital import hospital
from test_hl7 import PID, message

from leadapron.edge.mllp import MllpListener, tls_context
from leadapron.model import BadInput, StorageFailure, Unavailable


@pytest.fixture
def house(tmp_path):
    with hospital(tmp_path, hl7_senders=["HIS|H"]) as made:
        listener = MllpListener(("127.0.0.1", 0), made.here.adt.answer)
        listener.start()
        made.port = listener.port
        yield made
        listener.stop()


def send(house, raw: bytes) -> tuple[str, str]:
    """Return (MSA-1, ERR-3.1) as the sender gets them."""
    with MLLPClient("127.0.0.1", house.port) as client:
        client.socket.settimeout(30)
        answer = client.send_message(raw)
    assert answer.startswith(b"\x0b") and answer.endswith(b"\x1c\r")
    segments = {line[:3]: line.split("|") for line in answer[1:-2].decode().split("\r") if line}
    return segments["MSA"][1], segments.get("ERR", [""] * 4)[3].split("^")[0]


def merge(old: str, onto: str, control: str) -> bytes:
    return message(f"PID|||{onto}", f"MRG|{old}", event="A40", control=control)


def test_a_merge_relinks_what_is_archived(house):
    film = house.film("0815")
    assert send(house, merge("0815", "4711", "m1")) == ("AA", "")
    assert house.current(film).patient == house.own("4711")
    entry = next(e for e in house.here.ledger.entries() if e["kind"] == "vault.merge")
    assert (entry["recipient"], entry["message"]) == ("hl7:HIS|H", "m1")
    assert entry["old"] == house.own("0815") and entry["onto"] == house.own("4711")


def test_a_message_built_by_another_library(house):
    film = house.film("0815")
    made = Message("ADT_A39", version="2.5")
    made.msh.msh_3, made.msh.msh_4, made.msh.msh_10, made.msh.msh_11 = "HIS", "H", "77", "P"
    made.msh.msh_9, made.msh.msh_18 = "ADT^A40^ADT_A39", "UNICODE UTF-8"
    made.evn.evn_2 = "20260302"
    group = made.add_group("ADT_A39_PATIENT")
    group.pid.pid_3, group.pid.pid_5, group.mrg.mrg_1 = "4711^^^H^MR", "张^三", "0815^^^H^MR"
    assert send(house, made.to_er7().encode()) == ("AA", "")
    assert house.current(film).patient == house.own("4711")


def test_the_same_message_again_is_answered_and_not_made_again(house):
    house.film("0815")
    assert send(house, merge("0815", "4711", "m1"))[0] == "AA"
    size = house.here.ledger.size
    assert send(house, merge("0815", "4711", "m1"))[0] == "AA"
    assert house.here.ledger.size == size
    assert send(house, merge("0816", "4711", "m1")) == ("AE", "205")


def test_a_correction_changes_what_a_reader_is_told(house):
    film = house.film("4711", "张^叁")
    house.order("chen", house.own("4711"))
    raw = message(
        "PID|||4711||张^三||19700103|F", control="c1", charset="GB 18030-2000", codec="gb18030"
    )
    assert send(house, raw) == ("AA", "")
    known = house.here.identities.beside("chen", film.sop_instance)
    assert (known.name, known.birth_date) == ("张^三", "19700103")


def test_corrections_of_patients_without_films_leave_no_trace(house, monkeypatch):
    puts = []
    monkeypatch.setattr(house.here.relinks, "put", lambda *a: puts.append(a))
    assert send(house, message(PID, control="c1")) == ("AA", "")
    assert not puts
    assert not house.here.vault.known("patient", [house.own("4711")])


@pytest.mark.parametrize(
    ("raw", "answer"),
    [
        (message(PID, application="OTHER"), ("AR", "207")),
        (message(PID, event="A01"), ("AR", "201")),
        (message(PID, processing="T"), ("AR", "202")),
        (message(PID, version="3.0"), ("AR", "203")),
        (message(PID, control=""), ("AR", "101")),
        (message(PID).replace(b"ADT^A08", b"ORM^O01"), ("AR", "200")),
        (message(PID).replace(b"MSH|^", b"MSH|A", 1), ("AR", "102")),
    ],
)
def test_what_is_not_for_us_is_rejected_and_not_kept(house, raw, answer):
    assert send(house, raw) == answer
    assert not len(house.here.quarantine) and not house.here.ledger.size


def test_what_cannot_be_made_waits_in_quarantine_and_can_be_released(house):
    film = house.film("A")
    assert send(house, merge("A", "B", "1"))[0] == "AA"
    assert send(house, merge("B", "A", "2")) == ("AE", "204")
    assert send(house, merge("B", "A", "2")) == ("AE", "204")
    assert send(house, message("PID|||A||新^名", control="3")) == ("AE", "204")
    assert send(house, message("PID|||B~C", control="4")) == ("AE", "204")
    items = {item.meta["code"]: item for item in house.here.quarantine.list()}
    assert set(items) == {"merge-cycle", "retired-number", "hl7-ambiguous-number"}
    assert (
        items["merge-cycle"].meta["calling_ae"] == "HIS|H" and items["merge-cycle"].meta["remedy"]
    )
    undo = house.here.repairs.ask_unmerge("sun", house.own("A"), "合并方向在源系统中弄反了")
    house.here.repairs.apply(house.consent(undo), "sun")
    house.here.relinks.release(items["merge-cycle"].name)
    house.here.relinks.drain()
    assert house.current(film).patient == house.own("A")
    assert house.here.vault.root("patient", "B") == "A"
    assert send(house, merge("B", "A", "2"))[0] == "AA", "now it was taken"


def test_a_merge_of_several_patients_is_made_whole_or_not_at_all(house):
    film = house.film("1")
    raw = message("PID|||2", "MRG|1", "PID|||1", "MRG|2", event="A40", control="x")
    assert send(house, raw) == ("AE", "204")
    assert house.current(film).patient == house.own("1")
    assert house.here.vault.root("patient", "1") == "1"


def test_a_full_disk_is_never_answered_with_aa(house, monkeypatch):
    def full(*_a, **_k):
        raise StorageFailure("the disk is full", remedy="free space")

    with monkeypatch.context() as patch:
        patch.setattr(house.here.relinks._spool, "write", full)
        assert send(house, merge("A", "B", "1")) == ("AE", "207")
    assert house.here.vault.root("patient", "A") == "A"
    assert send(house, merge("A", "B", "1"))[0] == "AA"


def test_what_was_kept_is_made_in_order_once_log_and_database_write_again(house, monkeypatch):
    film = house.film("A")

    def full(_entry):
        raise Unavailable("the log is busy", remedy="wait")

    with monkeypatch.context() as patch:
        patch.setattr(house.here.ledger, "append", full)
        assert send(house, merge("A", "B", "1"))[0] == "AA"
        assert send(house, merge("B", "C", "2"))[0] == "AA"
        assert house.current(film).patient == house.own("A"), "nothing before the log"
        assert len(house.here.relinks._spool) == 2
    house.here.relinks.drain()
    assert house.current(film).patient == house.own("C")
    kinds = [k for k in house.kinds() if k.startswith("vault.")]
    assert kinds == ["vault.merge", "vault.merge"]


@pytest.mark.parametrize("stop_at", ["relink", "add", "refile", "note_message", "delete"])
def test_a_crash_at_any_step_is_made_good_at_the_next_start(tmp_path, monkeypatch, stop_at):
    class Crash(BaseException):
        pass

    def crash(*_a, **_k):
        raise Crash

    with hospital(tmp_path) as made:
        film, late = made.film("A"), made.film("B")
        relinking = made.here.relinks.relinking
        owner = {
            "relink": relinking._vault,
            "add": relinking._aliases,
            "refile": relinking._archive,
            "note_message": relinking._vault,
            "delete": made.here.relinks._spool,
        }[stop_at]
        with monkeypatch.context() as patch:
            patch.setattr(owner, stop_at, crash)
            with pytest.raises(Crash):
                made.here.adt.answer(merge("A", "B", "1"))
    with hospital(tmp_path) as made:
        made.here.relinks.drain()
        for each in (film, late):
            assert made.here.archive.get(each.sop_instance).patient == made.own("B")
        assert made.here.vault.root("patient", "A") == "B"
        assert not len(made.here.relinks._spool) and not len(made.here.quarantine)
        assert b"MSA|AA" in made.here.adt.answer(merge("A", "B", "1"))


def test_no_identity_reaches_the_log_or_the_disk(house, tmp_path):
    house.film("4711", "张^叁")
    send(house, message("PID|||4711||欧阳^晓岚||19700103|F", control="张三"))
    send(house, message("PID|||4711~4712||欧阳^晓岚", control="2"))
    for path in tmp_path.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            for word in ("欧阳", "晓岚", "张叁", "张三"):
                assert word.encode() not in content, path
                assert word.encode("gb18030") not in content, path


def test_several_messages_in_one_write_are_answered_one_by_one(house):
    house.film("A")
    frames = [b"\x0b" + merge(old, onto, c) + b"\x1c\r" for old, onto, c in
              (("A", "B", "1"), ("B", "C", "2"))]  # fmt: skip
    with socket.create_connection(("127.0.0.1", house.port), 30) as connection:
        connection.sendall(b"".join(frames))
        got = b""
        while got.count(b"\x1c\r") < 2:
            got += connection.recv(4096)
    assert got.index(b"MSA|AA|1") < got.index(b"MSA|AA|2")


@pytest.mark.parametrize("junk", [b"GET / HTTP/1.1\r\n\r\n", b"\x0b" + b"x" * (1 << 21), b"\x1c\r"])
def test_what_is_no_mllp_ends_the_connection(house, junk):
    with socket.create_connection(("127.0.0.1", house.port), 30) as connection:
        try:
            connection.sendall(junk)
            assert connection.recv(10) == b""
        except ConnectionError:
            pass
    assert send(house, merge("A", "B", "1"))[0] == "AA", "others are served"


def test_peers_that_are_not_on_the_list_are_not_heard():
    answers = []
    listener = MllpListener(
        ("127.0.0.1", 0), lambda raw: answers.append(raw) or b"x", peers=["10.0.0.0/8"]
    )
    listener.start()
    try:
        with socket.create_connection(("127.0.0.1", listener.port), 30) as connection:
            connection.settimeout(30)
            try:
                connection.sendall(b"\x0bx\x1c\r")
                assert connection.recv(10) == b""
            except ConnectionError:
                pass
    finally:
        listener.stop()
    assert not answers
    with pytest.raises(BadInput):
        MllpListener(("127.0.0.1", 0), bytes, peers=["somewhere"])


def test_a_taken_port_is_named():
    first = MllpListener(("127.0.0.1", 0), bytes)
    first.start()
    try:
        with pytest.raises(Unavailable, match=str(first.port)):
            MllpListener(("127.0.0.1", first.port), bytes).start()
    finally:
        first.stop()


def certificate(folder, name: str, issuer=None):
    """Make a certificate; return (certificate, key) and leave both as PEM files."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    by, signer = (subject, key) if issuer is None else (issuer[0].subject, issuer[1])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(signer, hashes.SHA256())
    )
    (folder / f"{name}.crt").write_bytes(made.public_bytes(Encoding.PEM))
    (folder / f"{name}.key").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    return made, key


def test_over_tls_only_senders_with_a_certificate_are_heard(tmp_path):
    ca = certificate(tmp_path, "ca")
    for name in ("server", "his"):
        certificate(tmp_path, name, ca)
    tls = tls_context(*(str(tmp_path / n) for n in ("server.crt", "server.key", "ca.crt")))
    listener = MllpListener(("127.0.0.1", 0), lambda raw: b"got " + raw, tls=tls)
    listener.start()
    trust = ssl.create_default_context(cafile=str(tmp_path / "ca.crt"))
    try:
        for known in (True, False):
            if known:
                trust.load_cert_chain(tmp_path / "his.crt", tmp_path / "his.key")
            else:
                trust = ssl.create_default_context(cafile=str(tmp_path / "ca.crt"))
            heard = b""
            try:
                with (
                    socket.create_connection(("127.0.0.1", listener.port), 30) as plain,
                    trust.wrap_socket(plain, server_hostname="localhost") as connection,
                ):
                    connection.sendall(b"\x0bM\x1c\r")
                    heard = connection.recv(100)
            except (ssl.SSLError, ConnectionError):
                pass
            assert (heard == b"\x0bgot M\x1c\r") == known
        silent = socket.create_connection(("127.0.0.1", listener.port), 30)
    finally:
        stopper = threading.Thread(target=listener.stop)
        stopper.start()
        silent.close()
        stopper.join(60)
    assert not stopper.is_alive()
    with pytest.raises(BadInput):
        tls_context(str(tmp_path / "nothing.crt"), str(tmp_path / "nothing.key"))
