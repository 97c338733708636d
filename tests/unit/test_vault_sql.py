"""The SQL vault keeps what MemoryVault keeps, and its file tells nothing."""

from __future__ import annotations

import pytest

from leadapron.deid import Link, MemoryVault
from leadapron.model import IntegrityFailure, NotFound
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
