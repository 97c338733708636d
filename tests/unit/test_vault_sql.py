"""The SQL vault keeps what MemoryVault keeps, and its file tells nothing."""

from __future__ import annotations

import pytest

from leadapron.deid import Link, MemoryVault
from leadapron.model import Conflict, IntegrityFailure, NotFound
from leadapron.store.database import Database
from leadapron.store.vault import SqlVault

KEY, OWN = b"p" * 32, b"v" * 32


@pytest.fixture
def database(tmp_path):
    opened = Database(f"sqlite:///{tmp_path / 'vault.db'}")
    opened.migrate("vault")
    yield opened
    opened.close()


def link(name: str) -> Link:
    return Link("patient", f"ID-{name}", f"LA{name}", f'{{"name": "{name}"}}')


def test_pseudonyms_equal_the_memory_vaults(database):
    sql, memory = SqlVault(database, KEY, OWN), MemoryVault(KEY)
    for kind in ("patient", "accession", "uid"):
        assert sql.pseudonym(kind, "1.2.3") == memory.pseudonym(kind, "1.2.3")
    assert sql.shift_days("x") == memory.shift_days("x")


def test_links_come_back_from_a_new_process(database):
    SqlVault(database, KEY, OWN).remember([link("张三"), link("李四")])
    again = SqlVault(database, KEY, OWN)
    assert again.original("patient", "LA张三") == link("张三")
    with pytest.raises(NotFound):
        again.original("accession", "LA张三")


def test_the_first_link_of_a_pseudonym_stays(database):
    vault = SqlVault(database, KEY, OWN)
    vault.remember([link("a")])
    vault.remember([Link("patient", "other", "LAa"), link("b")])
    assert vault.original("patient", "LAa").original == "ID-a"
    assert vault.original("patient", "LAb").original == "ID-b"


def test_merged_patients_share_pseudonym_and_shift(database):
    vault = SqlVault(database, KEY, OWN)
    kept = vault.pseudonym("patient", "kept")
    assert vault.relink("patient", "merged", "kept") == kept
    assert vault.relink("patient", "third", "merged") == kept
    assert SqlVault(database, KEY, OWN).pseudonym("patient", "third") == kept
    assert vault.shift_days("third") == vault.shift_days("kept")


def test_the_file_holds_no_identity(database, tmp_path):
    SqlVault(database, KEY, OWN).remember([link("欧阳晓岚")])
    database.close()
    for path in tmp_path.iterdir():
        content = path.read_bytes()
        assert "欧阳晓岚".encode() not in content
        assert b"ID-" not in content


def test_another_key_finds_nothing_and_a_moved_row_is_noticed(database):
    vault = SqlVault(database, KEY, OWN)
    vault.remember([link("a"), link("b")])
    with pytest.raises(NotFound):
        SqlVault(database, KEY, b"w" * 32).original("patient", "LAa")
    with database.engine.begin() as connection:
        rows = connection.exec_driver_sql("SELECT place, sealed FROM vault_links").fetchall()
        (first, one), (second, two) = rows
        for place, sealed in ((first, two), (second, one)):
            connection.exec_driver_sql(
                "UPDATE vault_links SET sealed = ? WHERE place = ?", (sealed, place)
            )
    with pytest.raises(IntegrityFailure):
        vault.original("patient", "LAa")


@pytest.fixture(params=["memory", "sql"])
def vault(request, database):
    return MemoryVault(KEY) if request.param == "memory" else SqlVault(database, KEY, OWN)


def test_a_later_merge_takes_earlier_ones_along(vault):
    vault.relink("patient", "a", "b")
    last = vault.relink("patient", "b", "c")
    assert last == vault.own_pseudonym("patient", "c")
    assert {vault.pseudonym("patient", key) for key in "abc"} == {last}
    assert {vault.shift_days(key) for key in "abc"} == {vault.shift_days("c")}


def test_circles_and_contradictions_are_refused_and_change_nothing(vault):
    vault.relink("patient", "a", "b")
    vault.relink("patient", "b", "c")
    for original, onto, code in (
        ("c", "a", "merge-cycle"),
        ("c", "c", "merge-self"),
        ("a", "other", "already-merged"),
    ):
        with pytest.raises(Conflict) as refused:
            vault.relink("patient", original, onto)
        assert refused.value.slug == code
    assert vault.root("patient", "a") == "c"
    assert vault.relink("patient", "a", "c") == vault.pseudonym("patient", "c"), "nothing to do"
    vault.unlink("patient", "b")
    assert vault.root("patient", "a") == "b", "what was merged before stays merged"


def test_a_merge_can_be_undone(vault):
    before = vault.pseudonym("patient", "a")
    vault.relink("patient", "a", "b")
    assert vault.unlink("patient", "a") == before
    with pytest.raises(NotFound):
        vault.unlink("patient", "a")


def test_a_link_without_details_gives_way_to_one_with(vault):
    bare = Link("patient", "A1", vault.pseudonym("patient", "A1"))
    full = Link("patient", "A1", bare.pseudonym, '{"name": "张三"}')
    vault.remember([bare])
    vault.remember([full])
    vault.remember([bare, Link("patient", "A1", bare.pseudonym, '{"name": "other"}')])
    assert vault.original("patient", bare.pseudonym) == full


def test_the_link_of_a_merged_number_names_the_surviving_one(vault):
    kept = vault.relink("patient", "old", "kept")
    vault.remember([Link("patient", "old", kept, '{"name": "张三"}')])
    assert vault.original("patient", kept) == Link("patient", "kept", kept, '{"name": "张三"}')


def test_many_at_once_and_what_is_known(database):
    vault = SqlVault(database, KEY, OWN)
    names = [str(number) for number in range(1203)]
    vault.remember([link(name) for name in names])
    asked = [f"LA{name}" for name in [*reversed(names), "nobody"]]
    found = vault.originals("patient", asked)
    assert [each.pseudonym for each in found] == asked[:-1]
    assert vault.known("patient", asked) == set(asked[:-1])


def test_a_correction_replaces_what_a_person_reads(database):
    vault = SqlVault(database, KEY, OWN)
    vault.remember([link("a")])
    vault.amend(Link("patient", "ID-a", "LAa", '{"name": "改正"}'))
    assert "改正" in SqlVault(database, KEY, OWN).original("patient", "LAa").details
    with pytest.raises(NotFound):
        vault.amend(link("b"))


def test_a_message_is_remembered(database):
    SqlVault(database, KEY, OWN).note_message("HIS|H", "4711", "d", "AA")
    again = SqlVault(database, KEY, OWN)
    assert again.message("HIS|H", "4711") == ("d", "AA")
    assert again.message("HIS|OTHER", "4711") is None


def test_a_new_key_opens_everything_and_the_old_one_nothing(database, monkeypatch):
    monkeypatch.setattr("leadapron.store.vault.BATCH", 7)
    new = b"n" * 32
    vault = SqlVault(database, KEY, OWN)
    vault.remember([link(str(number)) for number in range(30)])
    vault.relink("patient", "a", "b")
    vault.note_message("HIS|H", "1", "d", "AA")
    assert vault.rekey(new) == 32
    for opened in (vault, SqlVault(database, KEY, new)):
        assert opened.original("patient", "LA7") == link("7")
        assert opened.root("patient", "a") == "b"
        assert opened.message("HIS|H", "1") == ("d", "AA")
    old = SqlVault(database, KEY, OWN)
    assert old.known("patient", ["LA7"]) == frozenset() and old.root("patient", "a") == "a"
    assert SqlVault(database, KEY, OWN).rekey(new) == 0, "called again, it changes nothing"


def test_a_rotation_that_was_killed_goes_on_where_it_stopped(database, monkeypatch):
    monkeypatch.setattr("leadapron.store.vault.BATCH", 5)
    new = b"n" * 32
    vault = SqlVault(database, KEY, OWN)
    vault.remember([link(str(number)) for number in range(23)])
    done = []

    def killed(self, table, box, run=SqlVault._rekey_batch):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(run(self, table, box))
        return done[-1]

    with monkeypatch.context() as patch:
        patch.setattr(SqlVault, "_rekey_batch", killed)
        with pytest.raises(KeyboardInterrupt):
            vault.rekey(new)
    assert SqlVault(database, KEY, OWN).rekey(new) == 13
    found = SqlVault(database, KEY, new).originals("patient", [f"LA{n}" for n in range(23)])
    assert len(found) == 23


def test_rows_of_the_first_version_are_read_and_brought_along(database):
    """0.1.0 kept a pair without kind and pseudonym, and the bare survivor of a relink."""
    from leadapron.store.vault import LinkRow, RelinkRow
    from leadapron.store.vault_box import VaultBox

    box, vault = VaultBox(OWN), SqlVault(database, KEY, OWN)

    def sealed(place: bytes, plain: str) -> bytes:
        return b"n" * 12 + box._cipher.encrypt(b"n" * 12, plain.encode(), place)

    pseudonym = vault.own_pseudonym("patient", "4711")
    at, merged = box.place("link", "patient", pseudonym), box.place("relink", "patient", "x")
    with database.session() as session:
        session.add(LinkRow(place=at, sealed=sealed(at, '["4711", "{}"]')))
        session.add(RelinkRow(place=merged, sealed=sealed(merged, "4711")))
    assert vault.original("patient", pseudonym).original == "4711"
    assert vault.pseudonym("patient", "x") == pseudonym
    with pytest.raises(Conflict, match="older version"):
        vault.rekey(b"n" * 32)
    vault.unlink("patient", "x")
    vault.relink("patient", "x", "4711")
    vault.rekey(b"n" * 32)
    assert vault.original("patient", pseudonym).original == "4711"
