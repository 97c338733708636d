import base64
import contextlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from leadapron.ledger import Signer, Verifier, canonical
from leadapron.ledger.checkpoint import Checkpoint
from leadapron.ledger.signing import TreeHead, parse_vkeys
from leadapron.model import BadInput, IntegrityFailure

SIGNER = Signer.generate("pacs.example/log")
HEAD = TreeHead("pacs.example/log", 12, bytes(range(32)))
NOTE = Checkpoint.sign(HEAD, SIGNER, 1_800_000_000).to_bytes()


def test_note_as_c2sp_writes_it():
    """Parsed and verified here by hand from the text of signed-note and tlog-cosignature."""
    text, _, tail = NOTE.decode().partition("\n\n")
    text += "\n"
    assert text == f"pacs.example/log\n12\n{base64.b64encode(bytes(range(32))).decode()}\n"
    lines = tail.splitlines()
    assert len(lines) == 2
    blobs = [base64.b64decode(line.removeprefix("\u2014 pacs.example/log ")) for line in lines]
    classic, post_quantum = (base64.b64decode(v.split("+", 2)[2]) for v in SIGNER.vkeys)
    assert [classic[0], post_quantum[0]] == [0x01, 0x06]
    Ed25519PublicKey.from_public_bytes(classic[1:]).verify(blobs[0][4:], text.encode())
    timestamp = blobs[1][4:12]
    assert int.from_bytes(timestamp, "big") == 1_800_000_000
    name = b"\x10pacs.example/log"
    message = b"subtree/v1\n\0" + name + timestamp + name + bytes(8)
    message += (12).to_bytes(8, "big") + bytes(range(32))
    MLDSA44PublicKey.from_public_bytes(post_quantum[1:]).verify(blobs[1][12:], message)


def test_the_example_of_the_signed_note_text():
    """The specification's own example: a key id, and a parse that gives back the same bytes."""
    example = (
        "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
        "\u2014 example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe"
        "4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    ).encode()
    parsed = Checkpoint.parse(example)
    assert parsed.head.size == 20852163
    assert parsed.to_bytes() == example


def test_both_signatures_are_needed_and_no_other_allowed():
    checkpoint = Checkpoint.parse(NOTE)
    assert checkpoint.problems(SIGNER.verifiers) == []
    assert checkpoint.problems(SIGNER.verifiers[:1]) != []
    assert checkpoint.problems(SIGNER.verifiers[:1], strict=False) == []
    for kept in (0, 1):
        half = Checkpoint(HEAD, (checkpoint.signatures[kept],))
        assert half.problems(SIGNER.verifiers) != []
    other = Signer.generate("pacs.example/log")
    assert checkpoint.problems(other.verifiers, strict=False) != []
    renamed = Signer("other.example", *_seeds(SIGNER))
    assert checkpoint.problems(renamed.verifiers, strict=False) != []


def _seeds(signer):
    secret = signer.to_bytes()
    return secret[-64:-32], secret[-32:]


def test_every_bit_of_a_note_counts():
    for index in [*range(400), *range(400, len(NOTE), 11), len(NOTE) - 2, len(NOTE) - 1]:
        bad = bytearray(NOTE)
        bad[index] ^= 1 << (index % 8)
        try:
            assert Checkpoint.parse(bytes(bad)).problems(SIGNER.verifiers) != []
        except IntegrityFailure:
            continue


@pytest.mark.parametrize(
    "bad",
    [
        b"", b"\n", NOTE + b"\n", NOTE[:-1], NOTE.replace(b"\n12\n", b"\n012\n"),
        NOTE.replace(b"\n12\n", b"\n+12\n"), NOTE.replace(b"\n12\n", b"\n-1\n"), NOTE + NOTE,
        NOTE.replace(b"\n\n", b"\nextension\n\n"), b"\xff" + NOTE,
    ],
)  # fmt: skip
def test_malformed_notes(bad):
    with contextlib.suppress(IntegrityFailure):
        assert Checkpoint.parse(bad).problems(SIGNER.verifiers) != []


def test_keys_round_trip_and_stay_secret():
    again = Signer.from_bytes(SIGNER.to_bytes())
    assert again.vkeys == SIGNER.vkeys
    assert repr(SIGNER) == "Signer('pacs.example/log')"
    assert [v.vkey for v in parse_vkeys(SIGNER.vkey)] == list(SIGNER.vkeys)
    with pytest.raises(BadInput):
        Signer.from_bytes(b"something else")
    for name in ("", "a b", "a+b", "a\n", "x" * 256):
        with pytest.raises(BadInput):
            Signer.generate(name)


def test_a_changed_verifier_key_is_refused():
    for vkey in SIGNER.vkeys:
        for bad in (vkey[1:], vkey[:-8], vkey.replace("+", "-"), "", vkey.replace("pacs", "pacz")):
            with pytest.raises(BadInput):
                Verifier.parse(bad)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.text(max_size=5), JSON, max_size=5))
def test_canonical_bytes_are_a_fixed_point(entry):
    data = canonical.dump(entry)
    assert canonical.load(data) == entry
    assert canonical.dump(canonical.load(data)) == data
    assert canonical.dump(dict(reversed(entry.items()))) == data


def test_canonical_form():
    assert canonical.dump({"b": [1, None, True], "a": '张\n"', "ä": {}}) == (
        '{"a":"张\\n\\"","b":[1,null,true],"ä":{}}'.encode()
    )


@pytest.mark.parametrize(
    "bad",
    [
        {"a": 1.5}, {"a": float("nan")}, {"a": 2**53}, {"a": b"x"}, {1: "a"}, {"a": {"b": 1.0}},
        {"a": "\ud800"}, {"a": object()}, {"a": {1, 2}}, {"at": 1}, {"a": "x" * 66_000}, ["a"],
    ],
)  # fmt: skip
def test_what_json_cannot_carry_exactly_is_refused(bad):
    with pytest.raises(BadInput) as caught:
        canonical.checked(bad)
    assert caught.value.remedy


def test_nesting_is_bounded():
    entry: dict = {}
    for _ in range(5000):
        entry = {"a": entry}
    with pytest.raises(BadInput):
        canonical.checked(entry)
