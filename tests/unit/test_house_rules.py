"""House rules as lints: each names the mistake that it prevents."""

from __future__ import annotations

import ast
import re
import subprocess
from importlib.metadata import distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LONGEST = 400


def tracked() -> list[Path]:
    done = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip("git does not list tracked files here", allow_module_level=True)
    return [path for name in done.stdout.split("\0") if name and (path := ROOT / name).is_file()]


FILES = tracked()
PYTHON = [path for path in FILES if path.suffix == ".py"]
SOURCES = [path for path in PYTHON if "src" in path.relative_to(ROOT).parts[:1]]


def text_of(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_files_stay_short():
    written = [p for p in FILES if p.suffix in {".py", ".sh", ".ts", ".tsx", ".css"}]
    elsewhere = {"static", "benchmarks"}
    written = [p for p in written if ".gen." not in p.name and not elsewhere & set(p.parts)]
    long = {name(p): n for p in written if (n := len(p.read_text().splitlines())) > LONGEST}
    assert not long, f"one idea a file: split {long}"


def test_no_place_of_the_one_who_wrote_it():
    """A path or host of one machine works nowhere else, and tells strangers about it."""
    hosts = ["pypi" + ".org", "python" + "hosted", "npm" + "js.", "deb.debian" + ".org"]
    paths = [r"(?<![\w.])/wo" + r"rk/", r"/ro" + r"ot/", r"/tmp/(?:br" + r"ief|uv" + r"boot|train)"]
    rule = re.compile("|".join([*map(re.escape, hosts), *paths]))
    for path in FILES:
        if path.name == ".gitignore" or "static" in path.parts:
            continue
        found = rule.search(text_of(path) or "")
        assert not found, f"{name(path)} mentions {found[0]}"


def test_no_keys_and_no_films():
    """A committed key stays in the history for ever; a committed film may be a patient's."""
    private = re.compile(r"^-----BEGIN [A-Z ]*PRIVATE KEY-----", re.MULTILINE)
    allowed = ROOT / "tests" / "vectors"
    for path in FILES:
        if allowed in path.parents:
            continue
        assert not private.search(text_of(path) or ""), f"{name(path)} holds a private key"
        assert path.suffix.lower() not in {".dcm", ".dicom", ".pem", ".key", ".p12"}, name(path)


def test_nothing_is_left_for_later():
    """A placeholder in a shipped file is a promise nobody keeps."""
    rule = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b")
    for path in PYTHON:
        found = rule.search(path.read_text())
        assert not found, f"{name(path)}: {found[0]}"


def test_stages_do_not_print():
    """stdout belongs to the command line: one stray print breaks `--json` for every program."""
    app = ROOT / "src" / "leadapron" / "app"
    training = ROOT / "src" / "leadapron" / "anatomy" / "training"
    for path in SOURCES:
        if app in path.parents or training in path.parents:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            called = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
            assert not (called and node.func.id == "print"), f"{name(path)}:{node.lineno} prints"


def test_randomness_is_the_secure_kind():
    """`random` is predictable: keys, ids and nonces must not be."""
    for path in SOURCES:
        if "training" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            called = isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "random"
            assert not called or node.attr == "SystemRandom", f"{name(path)}: use secrets"
            if isinstance(node, ast.ImportFrom):
                assert node.module != "random", f"{name(path)}: use secrets"


def test_keys_are_never_compared_with_equality():
    """`==` on secrets leaks their length of agreement through time."""
    secret = re.compile(r"(?:token|secret|password|csrf|digest_key)\w*$", re.IGNORECASE)
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Eq | ast.NotEq):
                sides = [node.left, node.comparators[0]]
                constant = any(isinstance(side, ast.Constant) for side in sides)
                words = [getattr(s, "id", getattr(s, "attr", "")) for s in sides]
                guilty = [w for w in words if secret.search(w)]
                assert constant or not guilty, f"{name(path)}:{node.lineno} compares {guilty[0]}"


def test_only_delivery_unseals():
    """import-linter sees `leadapron.seal.unsealing`; the same names from the package's root open
    a film just as well."""
    opening = {"unseal", "open_frame", "rewrap"}
    package = ROOT / "src" / "leadapron"
    allowed = {package / "delivery", package / "seal", package / "app" / "cli"}
    for path in SOURCES:
        if allowed & set(path.parents):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            module = (node.module or "") if isinstance(node, ast.ImportFrom) else ""
            if module == "leadapron.seal" or module.startswith("leadapron.seal."):
                taken = opening & {alias.name for alias in node.names}
                assert not taken, f"{name(path)} imports {taken}: only delivery unseals"
                assert "unsealing" not in module, f"{name(path)} imports {module}"
            attribute = node.attr if isinstance(node, ast.Attribute) else ""
            owner = getattr(getattr(node, "value", None), "id", "")
            assert not (owner == "seal" and attribute in opening), f"{name(path)} unseals"


def test_identities_are_read_in_one_place():
    """A read of the vault that writes no entry of its own is one that nobody can check."""
    package = ROOT / "src" / "leadapron"
    allowed = {package / "delivery" / name for name in ("identities.py", "relinking.py")}
    allowed |= {package / "store" / "vault.py", package / "deid" / "vault.py"}
    for path in set(SOURCES) - allowed:
        for node in ast.walk(ast.parse(path.read_text())):
            called = getattr(getattr(node, "func", None), "attr", "")
            assert called not in {"original", "originals"}, f"{name(path)} reads identities"


def test_tables_belong_to_one_package():
    """A table that two packages read is a public interface nobody agreed to."""
    for path in SOURCES:
        package = path.relative_to(ROOT / "src" / "leadapron").parts[0]
        for node in ast.walk(ast.parse(path.read_text())):
            module = (node.module or "") if isinstance(node, ast.ImportFrom) else ""
            if re.fullmatch(r"leadapron\.\w+\.tables", module):
                assert module.split(".")[1] in {package}, f"{name(path)} imports {module}"


def test_installed_packages_are_the_pinned_ones():
    """A package that only this machine has makes tests pass here and fail everywhere else."""
    lock = (ROOT / "constraints" / "test.txt").read_text()
    lock += (ROOT / "constraints" / "build.txt").read_text() + "\nuv==\nleadapron==\n"
    pinned = set(re.findall(r"^([a-z0-9-]+)==", lock, re.MULTILINE))
    installed = {
        re.sub(r"[-_.]+", "-", d.metadata["Name"]).lower()
        for d in distributions()
        if ".venv" in str(d.locate_file(""))
    }
    assert installed <= pinned, f"not in constraints/: {installed - pinned}"


def test_declared_dependencies_are_pinned():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = [*project["dependencies"], *project["optional-dependencies"]["demo"]]
    lock = (ROOT / "constraints" / "runtime.txt").read_text()
    for requirement in declared:
        package = re.match(r"[A-Za-z0-9._-]+", requirement)[0].lower()
        assert f"\n{package}==" in f"\n{lock}", f"{package} is not pinned: run scripts/lock.sh"
