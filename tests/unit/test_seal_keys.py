"""Keys: who can seal, who can open, and how they are kept."""

from __future__ import annotations

import stat

import pytest
from seal_films import film, noise, regions, reread

from leadapron.model import BadInput, Conflict, Denied, IntegrityFailure, NotFound
from leadapron.seal import (
    CentreKeyPair,
    CentrePublicKey,
    PatientKey,
    TierKey,
    create_keys,
    inspect,
    load_keys,
    rewrap,
    seal,
    unseal,
)

PAIR = CentreKeyPair.generate()
DEK = bytes(range(32))


def test_only_the_private_half_opens():
    wrapped = PAIR.public.wrap(DEK, b"object 1")
    assert PAIR.unwrap(wrapped, b"object 1") == DEK
    assert wrapped != PAIR.public.wrap(DEK, b"object 1")
    assert PAIR.key_id == PAIR.public.key_id
    with pytest.raises(Denied) as caught:
        PAIR.public.unwrap(wrapped, b"object 1")
    assert "centre.private" in caught.value.remedy


@pytest.mark.parametrize("keys", [PAIR, PatientKey.generate("P1")], ids=["centre", "patient"])
def test_a_wrapped_key_is_bound_to_its_key_and_object(keys):
    wrapped = keys.wrap(DEK, b"object 1")
    assert keys.unwrap(wrapped, b"object 1") == DEK
    others = (CentreKeyPair.generate(), PatientKey.generate("P1"))
    cases = [
        (keys, wrapped, b"object 2"),
        (keys, wrapped[:-1], b"object 1"),
        (keys, wrapped[:-1] + bytes([wrapped[-1] ^ 1]), b"object 1"),
        (keys, b"", b"object 1"),
        *((other, wrapped, b"object 1") for other in others),
    ]
    for opener, blob, aad in cases:
        with pytest.raises(Denied) as caught:
            opener.unwrap(blob, aad)
        assert caught.value.slug == "wrong-key"


def test_keys_survive_being_written():
    for made in (
        CentreKeyPair.from_bytes(PAIR.to_bytes()),
        CentreKeyPair.from_pem(PAIR.to_pem()),
    ):
        assert made.to_bytes() == PAIR.to_bytes()
        assert made.unwrap(PAIR.public.wrap(DEK, b""), b"") == DEK
    for public in (
        CentrePublicKey.from_bytes(PAIR.public.to_bytes()),
        CentrePublicKey.from_pem(PAIR.public.to_pem()),
    ):
        assert public.key_id == PAIR.key_id
        assert PAIR.unwrap(public.wrap(DEK, b""), b"") == DEK


@pytest.mark.parametrize("junk", [b"", b"short", bytes(97), PAIR.to_pem()[:-40], b"\xff" * 96 * 2])
def test_junk_is_no_key(junk):
    for read in (
        CentreKeyPair.from_bytes,
        CentreKeyPair.from_pem,
        CentrePublicKey.from_bytes,
        CentrePublicKey.from_pem,
    ):
        with pytest.raises(BadInput):
            read(junk)


def test_secrets_are_not_printed():
    patient = PatientKey.generate("P1")
    assert patient.secret.hex() not in repr(patient)
    assert PAIR.to_bytes().hex()[:16] not in repr(PAIR)


def test_a_folder_of_keys(tmp_path):
    folder = tmp_path / "keys"
    with pytest.raises(NotFound):
        load_keys(folder)
    made = create_keys(folder)
    assert load_keys(folder).to_bytes() == made.to_bytes()
    for name in ("centre.private", "centre.public"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    with pytest.raises(Conflict):
        create_keys(folder)
    assert load_keys(folder).to_bytes() == made.to_bytes(), "a refused creation changes nothing"


def test_an_edge_holds_the_public_half_only(tmp_path):
    made = create_keys(tmp_path)
    (tmp_path / "centre.private").unlink()
    half = load_keys(tmp_path)
    assert isinstance(half, CentrePublicKey)
    assert half.key_id == made.key_id


def test_an_exposed_or_mixed_up_folder_is_refused(tmp_path):
    create_keys(tmp_path / "a")
    create_keys(tmp_path / "b")
    exposed = tmp_path / "a" / "centre.private"
    exposed.chmod(0o640)
    with pytest.raises(Denied, match="read by others") as caught:
        load_keys(tmp_path / "a")
    assert "chmod 600" in caught.value.remedy
    exposed.chmod(0o600)
    exposed.write_bytes((tmp_path / "b" / "centre.private").read_bytes())
    with pytest.raises(BadInput, match="not one pair"):
        load_keys(tmp_path / "a")


def test_rewrapping_moves_a_film_to_the_patient_key():
    ds = film(noise((30, 40), 12), bits_stored=12)
    sealed = reread(seal(ds, regions(30, 40), None, PAIR.public))
    tier, patient = TierKey.generate("hot"), PatientKey.generate("P1")
    moved = reread(rewrap(sealed, PAIR, patient))
    assert unseal(moved, patient) == ds
    assert unseal(sealed, PAIR) == ds, "the input is not touched"
    with pytest.raises(Denied, match="patient-P1"):
        inspect(moved, PAIR)
    kept = patient.wrapped_by(tier)
    again = PatientKey.unwrapped_by(tier, "P1", kept)
    assert unseal(moved, again) == ds
    for kek, name in ((TierKey.generate("hot"), "P1"), (tier, "P2")):
        with pytest.raises(Denied):
            PatientKey.unwrapped_by(kek, name, kept)
    impostor = PatientKey.generate("P1")
    with pytest.raises(IntegrityFailure):
        inspect(moved, impostor)
