"""A new key for the vault of identities: old key kept aside until every row is under the new one.

Backups of the vault made before need the old key: keep it with them, or make new backups.
"""

from __future__ import annotations

import hmac
import secrets
from pathlib import Path

from leadapron.app.instance import VAULT_KEY, VAULT_PREVIOUS, database, open_ledger
from leadapron.app.running import only_one
from leadapron.app.settings import InstanceFolder, Settings
from leadapron.store.keys import FileKeyStore
from leadapron.store.vault import SqlVault


def rotate_vault_key(data: Path | None, keys: Path | None) -> int:
    """Bring the vault under a new key; return how many rows were brought in this run.

    A run that was cut short is finished by the next one. Raises Unavailable while the instance
    runs, Conflict for rows that cannot be moved; the old key stays until all are.
    """
    settings = Settings.of(data=data, keys=keys)
    folder = InstanceFolder.open(settings.data, settings.keys, create=False)
    with only_one(folder.data):
        keystore = FileKeyStore(folder.keys, data_dir=folder.data)
        opened = database(settings, folder, "vault")
        ledger = open_ledger(folder, keystore)
        try:
            vault = SqlVault(opened, keystore.create("pseudonym"), _older(keystore))
            vault.require_movable()
            ledger.append({"kind": "vault.rotating", "recipient": "local-operator"})
            rows = vault.rekey(_newer(keystore))
            ledger.append({"kind": "vault.rotated", "recipient": "local-operator", "count": rows})
            keystore.delete(VAULT_PREVIOUS)
        finally:
            ledger.close()
            opened.close()
    return rows


def _older(keystore: FileKeyStore) -> bytes:
    """Return the key that rows may still be under."""
    if VAULT_PREVIOUS in keystore.names():
        return keystore.get(VAULT_PREVIOUS)
    return keystore.create(VAULT_KEY)


def _newer(keystore: FileKeyStore) -> bytes:
    """Return the key that all rows come under; the older one is stored aside first."""
    if VAULT_PREVIOUS not in keystore.names():
        keystore.put(VAULT_PREVIOUS, keystore.get(VAULT_KEY))
    previous, current = keystore.get(VAULT_PREVIOUS), keystore.get(VAULT_KEY)
    if hmac.compare_digest(previous, current):
        current = secrets.token_bytes(32)
        keystore.put(VAULT_KEY, current)
    return current
