"""Settings of one instance: `leadapron.toml`, then the environment, then the command line.

Secrets are never values here: they live as files in the keys folder.
"""

from __future__ import annotations

import json
import os
import tempfile
import uuid
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from leadapron.model import BadInput

if TYPE_CHECKING:
    from leadapron.deid.profile import Profile
    from leadapron.store.keys import FileKeyStore

INSTANCE_FILE = "instance.json"
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def _home(variable: str, fallback: str) -> Path:
    return Path(os.environ.get(variable) or Path.home() / fallback) / "leadapron"


def state_home() -> Path:
    """Return the folder for what belongs to this user's instances and is no data."""
    return _home("XDG_STATE_HOME", ".local/state")


def demo_data(*, fresh: bool) -> Path:
    """Return the demo's default data folder; a new one each time when `fresh`."""
    if fresh:
        return Path(tempfile.mkdtemp(prefix="leadapron-demo-"))
    return _home("XDG_DATA_HOME", ".local/share") / "demo"


class Settings(BaseSettings):
    """One instance's settings; every field can be set as ``LEADAPRON_<NAME>``."""

    model_config = SettingsConfigDict(
        env_prefix="LEADAPRON_", toml_file="leadapron.toml", extra="ignore"
    )

    data: Path = Field(
        default_factory=lambda: _home("XDG_DATA_HOME", ".local/share") / "default",
        description="Folder of everything stored; opens nothing without the keys folder.",
    )
    keys: Path | None = Field(
        default=None,
        description="Folder of the keys. Default: a folder of this instance below the state "
        "home (XDG_STATE_HOME). Never below `data`.",
    )
    host: str = Field(default="127.0.0.1", description="Address that HTTP and DIMSE listen on.")
    http_port: int = Field(default=8480, ge=0, le=65535, description="HTTP port; 0 picks one.")
    dimse_port: int = Field(default=11112, ge=0, le=65535, description="DIMSE port; 0 picks one.")
    ae_title: str = Field(default="LEADAPRON", max_length=16, description="Our AE title.")
    modalities: list[str] = Field(
        default=[],
        description="Calling AE titles that may store films. Empty: any, on loopback only.",
    )
    move_destinations: dict[str, str] = Field(
        default={},
        description="Workstations that C-MOVE may send films to: AE title = `host:port`. "
        "Empty: C-MOVE sends nowhere.",
    )
    expose_file_keys: bool = Field(
        default=False,
        description="Allow a listener beyond loopback although keys are plain files.",
    )
    vault_url: str = Field(
        default="",
        description="Database of the identity vault, `sqlite:////folder/vault.db` or "
        "`postgresql://user@host/name` (password in a passfile). Default: `vault.db` below `data`.",
    )
    hl7_port: int | None = Field(
        default=None, ge=0, le=65535, description="MLLP port for HL7 ADT; 0 picks one, unset: none."
    )
    hl7_senders: list[str] = Field(
        default=[],
        description="`APPLICATION|FACILITY` (MSH-3, MSH-4) that may send. Empty: any, on loopback "
        "only.",
    )
    hl7_peers: list[str] = Field(
        default=[], description="Addresses or networks that HL7 may come from. Empty: any."
    )
    hl7_authority: str = Field(
        default="",
        description="Assigning authority (CX.4) of the numbers that modalities send as Patient ID.",
    )
    hl7_charset: Literal["utf-8", "gb18030", "big5", "ascii"] = Field(
        default="utf-8", description="Character set of HL7 messages that name none in MSH-18."
    )
    hl7_tls_certificate: Path | None = Field(
        default=None, description="Certificate chain (PEM) of the MLLP listener."
    )
    hl7_tls_key: Path | None = Field(default=None, description="Its private key (PEM).")
    hl7_tls_clients: Path | None = Field(
        default=None, description="CAs (PEM) whose certificates HL7 senders must show."
    )
    max_object_mb: int = Field(
        default=1024, ge=1, description="Largest object that the edge takes, in MiB."
    )
    trace_per_hour: int = Field(
        default=120, ge=12, description="Pictures that one person may have traced in an hour."
    )
    trace_per_hour_all: int = Field(
        default=360, ge=12, description="Pictures that everybody together may in an hour."
    )
    clean_devices: list[dict[str, str]] = Field(
        default=[],
        description="Devices proven to burn no text in: `manufacturer` and `model` or `station`. "
        "Their pictures are not searched if Burned In Annotation is NO. Empty: all are.",
    )
    identity_key: Literal["ml-kem-768", "rsa-3072", "ec-p256"] | None = Field(
        default=None,
        description="Kind of this instance's own key for the identity inside objects, made on "
        "first use and never replaced. Unset: the one that is there, else `ml-kem-768`.",
    )
    identity_recipients: list[Path] = Field(
        default=[],
        description="Certificates (PEM; RSA, EC or ML-KEM) of others who may open it too. The "
        "weakest key decides how safe it is.",
    )
    segmenter_threads: int = Field(default=1, ge=1, description="Threads of the network.")

    @field_validator("move_destinations")
    @classmethod
    def _addresses(cls, given: dict[str, str]) -> dict[str, str]:
        for title, address in given.items():
            if not (title == title.strip() and 1 <= len(title) <= 16 and title.isascii()):
                raise ValueError(f"'{title}' is no AE title (1 to 16 ASCII characters)")
            _host_and_port(address)
        return given

    @field_validator("clean_devices")
    @classmethod
    def _devices(cls, given: list[dict[str, str]]) -> list[dict[str, str]]:
        from leadapron.deid.devices import CleanDevice

        for rule in given:
            unknown = sorted(set(rule) - {"manufacturer", "model", "station"})
            if unknown:
                raise ValueError(f"a rule knows no '{unknown[0]}'")
            try:
                CleanDevice(**{"manufacturer": "", **rule})
            except BadInput as error:
                raise ValueError(f"{error.message}: {error.remedy}") from error
        return given

    @field_validator("identity_recipients")
    @classmethod
    def _certificates(cls, given: list[Path]) -> list[Path]:
        from leadapron.app.identity_key import certificate_in

        for path in given:
            try:
                certificate_in(path)
            except BadInput as error:
                raise ValueError(f"{error.message}: {error.remedy}") from error
        return given

    def gateway_profile(self, keystore: FileKeyStore | None = None) -> Profile:
        """Return the de-identification profile of this instance.

        With its `keystore`, identities go into the objects for those who may open them.
        """
        from leadapron.app.identity_key import identity_recipients
        from leadapron.deid.devices import CleanDevice
        from leadapron.deid.profile import Profile

        devices = tuple(CleanDevice(**rule) for rule in self.clean_devices)
        recipients = (
            ()
            if keystore is None
            else identity_recipients(keystore, self.identity_key, self.identity_recipients)
        )
        return replace(Profile.gateway(), clean_devices=devices, recipients=recipients)

    def destinations(self) -> dict[str, tuple[str, int]]:
        """Return the C-MOVE destinations: AE title to (host, port)."""
        return {title: _host_and_port(a) for title, a in self.move_destinations.items()}

    @classmethod
    def of(cls, **given: Any) -> Settings:
        """Return the settings with the command line's values; None means not given.

        BadInput names the first setting that can't be used.
        """
        try:
            return cls(**{k: v for k, v in given.items() if v is not None})
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(str(part) for part in first["loc"])
            raise BadInput(
                f"the setting '{name}' can't be used: {first['msg']}",
                remedy="see docs/reference for what it takes",
                code="bad-setting",
            ) from error

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Command line over environment over file; no .env files, no secret values."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    def check_exposure(self) -> None:
        """Refuse to listen beyond loopback with keys in plain files, unless told to."""
        if self.host not in LOOPBACK and not self.expose_file_keys:
            raise BadInput(
                f"refusing to listen on {self.host}: this instance keeps its keys in files",
                remedy="listen on 127.0.0.1 behind a TLS proxy, or pass --expose-file-keys "
                "after reading docs/threat-model.md",
                code="exposed-file-keys",
            )
        if self.host not in LOOPBACK and not self.modalities:
            raise BadInput(
                f"refusing to listen on {self.host}: any device could store films",
                remedy="name the calling AE titles in `modalities` (LEADAPRON_MODALITIES or "
                "leadapron.toml)",
                code="open-storage",
            )
        if self.host not in LOOPBACK and self.hl7_port is not None:
            self._check_hl7_exposure()

    def _check_hl7_exposure(self) -> None:
        proven = self.hl7_senders and self.hl7_tls_certificate and self.hl7_tls_clients
        if not proven:
            raise BadInput(
                f"refusing to take HL7 on {self.host} from anybody: a merge moves films",
                remedy="set hl7_senders, hl7_tls_certificate, hl7_tls_key and hl7_tls_clients, "
                "or listen on 127.0.0.1 behind an interface engine",
                code="open-hl7",
            )


def _host_and_port(address: str) -> tuple[str, int]:
    """Split ``host:port`` or ``[ipv6]:port``; ValueError says what is wrong."""
    parts = urlsplit(f"//{address}")
    if not parts.hostname or not parts.port or parts.path or parts.username:
        raise ValueError(f"'{address}' is not host:port")
    return parts.hostname, parts.port


class InstanceFolder:
    """The data folder's identity: which keys folder belongs to it."""

    def __init__(self, data: Path, keys: Path, instance_id: str) -> None:
        self.data = data
        self.keys = keys
        self.instance_id = instance_id

    @classmethod
    def open(cls, data: Path, keys: Path | None = None, *, create: bool) -> Self:
        """Read `data`/instance.json, or write it when `create`.

        The file names the keys folder, so that a copy of the data folder on the same
        machine still finds its verification keys. BadInput when the folder is no instance.
        """
        data = data.expanduser().resolve()
        marker = data / INSTANCE_FILE
        if marker.exists():
            known = json.loads(marker.read_text("utf-8"))
            chosen = keys.expanduser().resolve() if keys else Path(known["keys"])
            return cls(data, chosen, known["id"])
        if not create:
            raise BadInput(
                f"{data} is not a LeadApron data folder (no {INSTANCE_FILE})",
                remedy="give the folder that `leadapron up --data DIR` or `demo` used",
                code="no-instance",
            )
        if data.exists() and not data.is_dir():
            raise BadInput(f"{data} is not a folder", remedy="choose another --data DIR")
        instance_id = str(uuid.uuid4())
        chosen = (
            keys.expanduser().resolve()
            if keys
            else state_home() / "instances" / instance_id / "keys"
        )
        if chosen == data or data in chosen.parents:
            raise BadInput(
                f"the keys folder {chosen} lies below the data folder",
                remedy="choose a --keys DIR elsewhere: keys never lie beside the data they open",
                code="keys-beside-data",
            )
        data.mkdir(parents=True, exist_ok=True)
        temporary = marker.with_suffix(".tmp")
        temporary.write_text(json.dumps({"id": instance_id, "keys": str(chosen)}), "utf-8")
        temporary.replace(marker)
        return cls(data, chosen, instance_id)
