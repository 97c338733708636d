"""Wiring: one instance's parts, opened together and closed in order."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from leadapron import delivery as delivering
from leadapron.app.auth import Accounts
from leadapron.app.settings import InstanceFolder, Settings
from leadapron.archive import Archive
from leadapron.deid import Profile
from leadapron.delivery import Delivery, Originals, Searching
from leadapron.edge import Protector
from leadapron.incident import CaseStore
from leadapron.incident.tracing import Tracing
from leadapron.ledger import Ledger, Signer
from leadapron.policy import PolicyStore
from leadapron.seal import CentreKeyPair, CentrePublicKey
from leadapron.store import Database, EncryptedFolder, FileKeyStore, LocalBlobStore
from leadapron.store.vault import SqlVault

LEDGER_KEY, CENTRE_PRIVATE, CENTRE_PUBLIC = "ledger-signer", "centre-private", "centre-public"


@dataclass
class Instance:
    """All parts of one instance on the embedded defaults."""

    settings: Settings
    folder: InstanceFolder
    keystore: FileKeyStore
    catalog: Database
    vault: SqlVault
    ledger: Ledger
    archive: Archive
    policy: PolicyStore
    originals: Originals
    delivery: Delivery
    searching: Searching
    cases: CaseStore
    tracing: Tracing
    accounts: Accounts
    spool: EncryptedFolder
    quarantine: EncryptedFolder

    @classmethod
    @contextlib.contextmanager
    def open(cls, settings: Settings, *, create: bool = True) -> Iterator[Instance]:
        """Open (or make) the instance in `settings.data`; everything is closed at the end."""
        folder = InstanceFolder.open(settings.data, settings.keys, create=create)
        with ExitStack() as stack:
            instance = _build(settings, folder, stack)
            delivering.use(instance.delivery)
            stack.callback(delivering.use, None)
            yield instance

    def protector(self) -> Protector:
        """Return the gateway's pipeline; it holds only the public half of the centre's key."""
        from leadapron.anatomy import Segmenter

        return Protector(
            profile=Profile.gateway(),
            vault=self.vault,
            segmenter=Segmenter.load(threads=self.settings.segmenter_threads),
            keys=CentrePublicKey.from_bytes(self.keystore.get(CENTRE_PUBLIC)),
        )


def open_ledger(folder: InstanceFolder, keystore: FileKeyStore) -> Ledger:
    """Open the instance's log for writing; its memory and keys lie in the keys folder."""
    if LEDGER_KEY not in keystore.names():
        keystore.put(LEDGER_KEY, Signer.generate().to_bytes())
    signer = Signer.from_bytes(keystore.get(LEDGER_KEY))
    return Ledger.open(
        folder.data / "ledger",
        signer,
        origin=f"leadapron/{folder.instance_id}",
        seen=folder.keys / "ledger.seen",
    )


def database(folder: InstanceFolder, name: str) -> Database:
    """Open one of the instance's SQLite databases, migrated."""
    opened = Database(f"sqlite:///{folder.data / (name + '.db')}")
    opened.migrate(name)
    return opened


def _build(settings: Settings, folder: InstanceFolder, stack: ExitStack) -> Instance:
    keystore = FileKeyStore(folder.keys, data_dir=folder.data)
    centre = _centre_keys(keystore)
    catalog, vault_db = database(folder, "catalog"), database(folder, "vault")
    stack.callback(vault_db.close)
    stack.callback(catalog.close)
    ledger = open_ledger(folder, keystore)
    stack.callback(ledger.close)
    archive = Archive(catalog, LocalBlobStore(folder.data / "objects"))
    policy = PolicyStore(catalog)
    originals = Originals(
        archive,
        centre,
        keystore.create("watermark"),
        _folder(folder.data / "fingerprints", keystore, "fingerprints"),
    )
    stack.callback(originals.close)
    delivery = Delivery(archive, policy, ledger, catalog, originals, keystore.create("view-id"))
    cases = CaseStore(catalog)
    return Instance(
        settings=settings,
        folder=folder,
        keystore=keystore,
        catalog=catalog,
        vault=SqlVault(vault_db, keystore.create("pseudonym"), keystore.create("vault")),
        ledger=ledger,
        archive=archive,
        policy=policy,
        originals=originals,
        delivery=delivery,
        searching=Searching(archive, policy, ledger),
        cases=cases,
        tracing=Tracing(archive, delivery, originals, policy, ledger, cases),
        accounts=Accounts(catalog),
        spool=_folder(folder.data / "spool", keystore, "spool"),
        quarantine=_folder(folder.data / "quarantine", keystore, "quarantine"),
    )


def _folder(path: Path, keystore: FileKeyStore, key: str) -> EncryptedFolder:
    return EncryptedFolder(path, keystore.create(key))


def _centre_keys(keystore: FileKeyStore) -> CentreKeyPair:
    if CENTRE_PRIVATE not in keystore.names():
        pair = CentreKeyPair.generate()
        keystore.put(CENTRE_PUBLIC, pair.public_key.to_bytes())
        keystore.put(CENTRE_PRIVATE, pair.to_bytes())
    return CentreKeyPair.from_bytes(keystore.get(CENTRE_PRIVATE))
