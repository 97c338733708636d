"""What the file commands do to one file's bytes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydicom.uid import HTJ2KLossless

from leadapron.app.cli.files import Work, read_file, write_atomically
from leadapron.app.identity_key import certificate_in
from leadapron.app.settings import Settings, state_home
from leadapron.deid import MemoryVault, Profile, Report
from leadapron.deid.filenames import clean_path
from leadapron.deid.files import deidentify_file
from leadapron.model import BadInput, Region, RegionMap
from leadapron.seal import CentreKeyPair, CentrePublicKey, SealPolicy, is_sealed
from leadapron.store.keys import FileKeyStore

FILE_KEYS = "files"
CENTRE_PRIVATE, CENTRE_PUBLIC, PSEUDONYM = "centre-private", "centre-public", "pseudonym"


def keystore(keys: Path | None, target: Path) -> FileKeyStore:
    """Open the keys of the file commands; never below the output."""
    folder = keys or state_home() / FILE_KEYS / "keys"
    output = target if target.suffix == "" else target.parent
    if keys is None or target.suffix == "":
        return FileKeyStore(folder, data_dir=output)
    return FileKeyStore(folder)


def protecting(keys: Path | None, target: Path, transfer_syntax: str | None) -> Work:
    """Return the work of `protect`."""
    from leadapron.anatomy import Segmenter
    from leadapron.edge import Protector, read_part10, write_part10

    store, output = keystore(keys, target), target
    vault = MemoryVault(store.create(PSEUDONYM))
    protector = Protector(
        profile=Settings.of().gateway_profile(store),
        vault=vault,
        segmenter=Segmenter.load(),
        keys=_public(store),
        policy=SealPolicy(transfer_syntax=transfer_syntax or HTJ2KLossless),
    )

    def work(source: Path, target: Path) -> dict[str, Any]:
        made = protector.protect(read_part10(read_file(source)))
        if target != output:
            target = clean_path(target, output, made.report, vault)
        write_atomically(target, write_part10(made.dataset))
        return {
            "output": str(target),
            "sop_instance": str(made.dataset.SOPInstanceUID),
            "regions": {
                r.value: round(made.region_map.score(r), 3) for r in made.region_map.regions
            },
            "in_domain": made.region_map.in_domain,
            "reasons": list(made.region_map.reasons),
            "timings_ms": made.timings,
            "deid": made.report.as_dict(),
        }

    return work


def deidentifying(
    keys: Path | None,
    target: Path,
    profile: str,
    recipients: Sequence[Path] = (),
    take: Callable[[Report], None] | None = None,
) -> Work:
    """Return the work of `deidentify`: no network, no seal. `take` is given each report.

    The identity stays inside only for the `recipients` named here, whatever the settings say:
    what is given away for research must not carry it by accident.
    """
    vault = MemoryVault(keystore(keys, target).create(PSEUDONYM))
    named = Settings.of().gateway_profile() if profile == "gateway" else Profile.of(profile)
    opened_by = tuple(certificate_in(path) for path in recipients)
    chosen, output = replace(named, recipients=opened_by), target

    def work(source: Path, target: Path) -> dict[str, Any]:
        base = None if target == output else output
        done = deidentify_file(source, target, chosen, vault, base=base)
        if take is not None:
            take(done.report)
        return {
            "output": str(done.path),
            "sop_instance": done.report.sop_instance,
            "deid": done.report.as_dict(),
        }

    return work


def unsealing(keys: Path | None, target: Path, regions: str | None) -> Work:
    """Return the work of `unseal`."""
    from leadapron.edge import read_part10, write_part10
    from leadapron.seal.unsealing import unseal

    store = keystore(keys, target)
    if CENTRE_PRIVATE not in store.names():
        raise BadInput(
            f"the keys folder {store.path} holds no private key",
            remedy="give the --keys DIR that `leadapron protect` used",
            code="no-key",
        )
    pair = CentreKeyPair.from_bytes(store.get(CENTRE_PRIVATE))
    wanted = None if regions is None else frozenset(_region(n) for n in regions.split(",") if n)

    def work(source: Path, target: Path) -> dict[str, Any]:
        dataset = read_part10(read_file(source))
        if not is_sealed(dataset):
            raise BadInput("the file is not sealed", remedy="give a file that `protect` made")
        write_atomically(target, write_part10(unseal(dataset, pair, wanted)))
        return {"regions": "all" if wanted is None else sorted(r.value for r in wanted)}

    return work


def _scores(region_map: RegionMap) -> dict[str, float]:
    return {r.value: round(region_map.score(r), 3) for r in region_map.regions}


def _region(name: str) -> Region:
    try:
        return Region(name.strip())
    except ValueError:
        raise BadInput(
            f"no region is called '{name}'", remedy=f"there are: {', '.join(Region)}"
        ) from None


def _public(store: FileKeyStore) -> CentrePublicKey:
    if CENTRE_PRIVATE not in store.names():
        pair = CentreKeyPair.generate()
        store.put(CENTRE_PUBLIC, pair.public.to_bytes())
        store.put(CENTRE_PRIVATE, pair.to_bytes())
    return CentrePublicKey.from_bytes(store.get(CENTRE_PUBLIC))
