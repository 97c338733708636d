"""Where policies come from, and the digest of all that a decision depends on."""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from leadapron import __version__
from leadapron.model import BadInput
from leadapron.policy.needs import Need, NeedModel
from leadapron.policy.rules import Rule


def hospital_files(folder: Path | str | None) -> list[tuple[str, str]]:
    """Return (name, text) of a hospital's own policies, in name order."""
    if folder is None:
        return []
    path = Path(folder)
    if not path.is_dir():
        raise BadInput(f"there is no policy folder {path}", remedy="create it or unset the option")
    return [(f.name, f.read_text(encoding="utf-8")) for f in sorted(path.glob("*.cedar"))]


def validate(cedarpy: Any, policies: str, schema: str) -> None:
    """Raise BadInput unless every policy fits the schema (strict validation)."""
    result = cedarpy.validate_policies(policies, schema)
    if not result.validation_passed:
        raise BadInput(
            "a policy does not fit the schema: " + "; ".join(str(e) for e in result.errors),
            remedy="correct the .cedar file; the attributes are in cedar/leadapron.cedarschema",
        )


def digest(
    texts: Iterable[tuple[str, str]],
    schema: str,
    needs: NeedModel,
    loaded: Iterable[tuple[str, Rule]],
) -> str:
    """Return a digest of all that a decision depends on besides the request."""
    content = {
        "engine": [__version__, version("cedarpy")],
        "policies": [list(item) for item in texts],
        "schema": schema,
        "needs": repr(sorted((k, _sorted_repr(n)) for k, n in needs.needs.items())),
        "fallbacks": repr(
            sorted((k, [sorted(g) for g in groups]) for k, groups in needs.fallbacks.items())
        ),
        "rules": [[name, _source(rule)] for name, rule in loaded],
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]


def _sorted_repr(need: Need) -> str:
    """Return the need as text; a set's own order changes between processes."""
    values = {k: sorted(v) if isinstance(v, frozenset) else v for k, v in vars(need).items()}
    return repr(sorted(values.items(), key=lambda item: item[0]))


def _source(rule: Rule) -> str:
    module = inspect.getmodule(rule)
    path = getattr(module, "__file__", None)
    if path and Path(path).is_file():
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    return f"{getattr(rule, '__module__', '')}.{getattr(rule, '__qualname__', repr(rule))}"
