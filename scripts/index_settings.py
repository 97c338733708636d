"""Give uv the package index, proxy and certificates that pip is configured with.

Hospitals configure a mirror once, for pip; uv does not read pip's configuration.
"""

from __future__ import annotations

import configparser
import os
from collections.abc import Mapping
from pathlib import Path

SYSTEM_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt")


def _config_files(environ: Mapping[str, str]) -> list[Path]:
    home = Path(environ.get("HOME") or "/nonexistent")
    user = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    shared = (environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":")
    files = [Path(folder) / "pip" / "pip.conf" for folder in reversed(shared)]
    files += [Path("/etc/pip.conf"), home / ".pip" / "pip.conf", user / "pip" / "pip.conf"]
    if named := environ.get("PIP_CONFIG_FILE"):
        files = [] if named == os.devnull else [*files, Path(named)]
    return files


def pip_options(environ: Mapping[str, str]) -> dict[str, str]:
    """Return pip's options as pip would see them: files first, then PIP_* variables."""
    parser = configparser.RawConfigParser()
    options: dict[str, str] = {}
    try:
        parser.read(_config_files(environ), encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError):
        parser.clear()
    for section in ("global", "install"):
        if parser.has_section(section):
            options |= dict(parser.items(section))
    for name, value in environ.items():
        if name.startswith("PIP_") and value:
            options[name[4:].lower().replace("_", "-")] = value
    return options


def index_url(environ: Mapping[str, str]) -> str | None:
    """Return the index that was chosen on this machine, or None for the installer's default."""
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL"):
        if environ.get(name):
            return environ[name]
    return pip_options(environ).get("index-url")


def installer_environment(environ: Mapping[str, str], venv: Path) -> dict[str, str]:
    """Return the environment that uv and pip run in. Variables already set are kept."""
    env = dict(environ)
    options = pip_options(environ)
    if chosen := index_url(environ):
        env.setdefault("UV_DEFAULT_INDEX", chosen)
        env.setdefault("PIP_INDEX_URL", chosen)
    for option, names in {
        "trusted-host": ("UV_INSECURE_HOST",),
        "cert": ("SSL_CERT_FILE",),
        "proxy": ("HTTPS_PROXY", "HTTP_PROXY"),
    }.items():
        for name in names if option in options else ():
            if not env.get(name.lower()):
                env.setdefault(name, options[option])
    if any(Path(bundle).exists() for bundle in (env.get("SSL_CERT_FILE", ""), *SYSTEM_BUNDLES)):
        env.setdefault("UV_SYSTEM_CERTS", "1")
    env.setdefault("UV_HTTP_TIMEOUT", "120")
    env |= {"UV_PYTHON_DOWNLOADS": "never", "UV_NO_PROGRESS": "1", "PIP_NO_INPUT": "1"}
    env["PIP_REQUIRE_VIRTUALENV"] = "0"
    if not os.access(env.get("HOME") or "/nonexistent", os.W_OK):
        env.setdefault("UV_CACHE_DIR", str(venv / ".uv-cache"))
    return env
