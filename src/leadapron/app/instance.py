"""Wiring: one instance's parts, opened together and closed in order."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

from leadapron import delivery as delivering
from leadapron.app.auth import Accounts
from leadapron.app.beside import ForwardingLedger, owner_of
from leadapron.app.settings import InstanceFolder, Settings
from leadapron.archive import Archive
from leadapron.delivery import (
    AdtIntake,
    Delivery,
    Identities,
    Originals,
    Relinking,
    RelinkQueue,
    Repairs,
    Searching,
)
from leadapron.edge import Protector
from leadapron.incident import CaseStore
from leadapron.incident.containing import Containment
from leadapron.incident.limits import Allowance, Limits
from leadapron.incident.naming import Naming
from leadapron.incident.reporting import Reports
from leadapron.incident.traces import TraceStore
from leadapron.incident.tracing import Tracing
from leadapron.ledger import Ledger, Signer
from leadapron.model import Conflict
from leadapron.policy import Aliases, Approvals, PolicyStore
from leadapron.seal import CentreKeyPair, CentrePublicKey
from leadapron.store.blobs import LocalBlobStore
from leadapron.store.database import Database
from leadapron.store.encrypted_folder import EncryptedFolder
from leadapron.store.keys import FileKeyStore
from leadapron.store.vault import SqlVault

LEDGER_KEY, LEDGER_VKEYS, LEDGER_SEEN = "ledger-signer", "ledger-vkeys", "ledger.seen"
CENTRE_PRIVATE, CENTRE_PUBLIC = "centre-private", "centre-public"
VAULT_KEY, VAULT_PREVIOUS = "vault", "vault-previous"


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
    traces: TraceStore
    tracing: Tracing
    naming: Naming
    containment: Containment
    reports: Reports
    accounts: Accounts
    approvals: Approvals
    identities: Identities
    repairs: Repairs
    relinks: RelinkQueue
    adt: AdtIntake
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
            profile=self.settings.gateway_profile(self.keystore),
            vault=self.vault,
            segmenter=Segmenter.load(threads=self.settings.segmenter_threads),
            keys=CentrePublicKey.from_bytes(self.keystore.get(CENTRE_PUBLIC)),
        )


def open_ledger(folder: InstanceFolder, keystore: FileKeyStore) -> Ledger:
    """Open the instance's log; beside a running instance, appends go through that one.

    Keys and the memory of the last checkpoint lie in the keys folder.
    """
    if LEDGER_KEY not in keystore.names():
        signer = Signer.generate(f"leadapron/{folder.instance_id}")
        keystore.put(LEDGER_KEY, signer.to_bytes())
        keystore.put(LEDGER_VKEYS, "\n".join(signer.vkeys).encode())
    owner = owner_of(folder.keys)
    path, seen = folder.data / "ledger", folder.keys / LEDGER_SEEN
    if owner is not None:
        return ForwardingLedger(path, verification_keys(keystore), seen, *owner)
    return Ledger.open(path, Signer.from_bytes(keystore.get(LEDGER_KEY)), seen=seen)


def verification_keys(keystore: FileKeyStore) -> tuple[str, ...]:
    """Return the public keys that the log's checkpoints are verified with."""
    return tuple(keystore.get(LEDGER_VKEYS).decode().splitlines())


def database_url(settings: Settings, folder: InstanceFolder, name: str) -> str:
    """Return where ``catalog`` or ``vault`` lies; the vault may lie elsewhere."""
    if name == "vault" and settings.vault_url:
        return settings.vault_url
    return f"sqlite:///{folder.data / (name + '.db')}"


def database(settings: Settings, folder: InstanceFolder, name: str) -> Database:
    """Open one of the instance's databases, migrated."""
    opened = Database(database_url(settings, folder, name))
    opened.migrate(name)
    return opened


def open_vault(keystore: FileKeyStore, opened: Database) -> SqlVault:
    """Open the vault under its key; Conflict while a rotation of that key is unfinished."""
    if VAULT_PREVIOUS in keystore.names():
        raise Conflict(
            "the rotation of the vault's key was cut short",
            remedy="run `leadapron vault rotate` again: it goes on where it stopped",
            code="rotation-unfinished",
        )
    return SqlVault(opened, keystore.create("pseudonym"), keystore.create(VAULT_KEY))


def _build(settings: Settings, folder: InstanceFolder, stack: ExitStack) -> Instance:
    keystore = FileKeyStore(folder.keys, data_dir=folder.data)
    centre = _centre_keys(keystore)
    catalog, vault_db = database(settings, folder, "catalog"), database(settings, folder, "vault")
    stack.callback(vault_db.close)
    stack.callback(catalog.close)
    vault = open_vault(keystore, vault_db)
    ledger = open_ledger(folder, keystore)
    stack.callback(ledger.close)
    archive = Archive(catalog, LocalBlobStore(folder.data / "objects"))
    policy, aliases = PolicyStore(catalog), Aliases(catalog)
    originals = Originals(
        archive,
        centre,
        keystore.create("watermark"),
        open_folder(folder, keystore, "fingerprints"),
    )
    stack.callback(originals.close)
    delivery = Delivery(archive, policy, ledger, catalog, originals, keystore.create("view-id"))
    cases, accounts = CaseStore(catalog), Accounts(catalog)
    traces = TraceStore(catalog, open_folder(folder, keystore, "evidence"))
    allowance = Allowance(
        catalog, ledger, Limits(settings.trace_per_hour, settings.trace_per_hour_all)
    )
    approvals = Approvals(catalog, policy, ledger, has_account=accounts.can_sign_in)
    containment = Containment(traces, cases, policy, delivery, ledger)
    naming = Naming(traces, cases, approvals, delivery, ledger, containment)
    quarantine = open_folder(folder, keystore, "quarantine")
    relinks = RelinkQueue(
        Relinking(vault, ledger, archive, policy, aliases),
        ledger,
        open_folder(folder, keystore, "relinks"),
        quarantine,
        folder.data / "relinks.lock",
    )
    return Instance(
        settings=settings,
        folder=folder,
        keystore=keystore,
        catalog=catalog,
        vault=vault,
        ledger=ledger,
        archive=archive,
        policy=policy,
        originals=originals,
        delivery=delivery,
        searching=Searching(archive, policy, ledger),
        cases=cases,
        traces=traces,
        tracing=Tracing(archive, delivery, originals, policy, ledger, cases, traces, allowance),
        naming=naming,
        containment=containment,
        reports=Reports(traces, cases, naming, archive, originals, policy, ledger),
        accounts=accounts,
        approvals=approvals,
        identities=Identities(vault, ledger, archive, delivery, approvals),
        repairs=Repairs(relinks, approvals, aliases, vault, ledger, archive, policy, delivery),
        relinks=relinks,
        adt=AdtIntake(
            relinks,
            vault,
            senders=frozenset(settings.hl7_senders),
            authority=settings.hl7_authority,
            charset=settings.hl7_charset,
        ),
        spool=open_folder(folder, keystore, "spool"),
        quarantine=quarantine,
    )


def open_folder(folder: InstanceFolder, keystore: FileKeyStore, name: str) -> EncryptedFolder:
    """Open one of the instance's encrypted folders, by its name: spool, quarantine, evidence …"""
    return EncryptedFolder(folder.data / name, keystore.create(name))


def _centre_keys(keystore: FileKeyStore) -> CentreKeyPair:
    if CENTRE_PRIVATE not in keystore.names():
        pair = CentreKeyPair.generate()
        keystore.put(CENTRE_PUBLIC, pair.public.to_bytes())
        keystore.put(CENTRE_PRIVATE, pair.to_bytes())
    return CentreKeyPair.from_bytes(keystore.get(CENTRE_PRIVATE))
