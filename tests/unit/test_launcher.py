"""The launcher: what it fetches, from where, what it refuses, and how it explains itself."""

from __future__ import annotations

import hashlib
import http.server
import importlib.util
import json
import os
import subprocess
import sys
import threading
import zipfile
from pathlib import Path
from typing import ClassVar

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "scripts"
sys.path.insert(0, str(SCRIPTS))


def load(name: str):
    spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


index_settings = load("index_settings")
fetch_tool = load("fetch_tool")
bootstrap = load("bootstrap")
run_tests = load("run_tests")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose bootstrap only writes down how it was called and makes a stand-in."""
    root = tmp_path / "checkout"
    (root / "constraints").mkdir(parents=True)
    (root / "scripts").mkdir()
    (root / "constraints" / "runtime.txt").write_text("a==1\n")
    (root / "pyproject.toml").write_text("")
    (root / "leadapron").write_bytes((ROOT / "leadapron").read_bytes())
    (root / "leadapron").chmod(0o755)
    (root / "scripts" / "run_tests.py").write_text("import sys; print('tests', *sys.argv[1:])")
    (root / "scripts" / "bootstrap.py").write_text(
        "import sys, pathlib\n"
        "_, root, venv, purpose, stamp = sys.argv\n"
        "bin = pathlib.Path(venv, 'bin'); bin.mkdir(parents=True, exist_ok=True)\n"
        "python = bin / 'python'\n"
        "python.is_symlink() or python.symlink_to(sys.executable)\n"
        "(bin / 'leadapron').write_text('#!/bin/sh\\necho command \"$@\"; exit 7\\n')\n"
        "(bin / 'leadapron').chmod(0o755)\n"
        "pathlib.Path(venv, '.leadapron-' + purpose).write_text(stamp + '\\n')\n"
        "print('prepared', purpose, file=sys.stderr)\n"
    )
    return root


def start(root: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    env = os.environ | {"LEADAPRON_PYTHON": sys.executable} | environment
    env.pop("LEADAPRON_VENV", None) if "LEADAPRON_VENV" not in environment else None
    return subprocess.run(
        [root / "leadapron", *arguments], env=env, capture_output=True, text=True, check=False
    )


def test_prepares_once_then_runs_the_command_with_its_exit_code(checkout):
    first = start(checkout, "demo", "--check")
    assert (first.returncode, first.stdout) == (7, "command demo --check\n")
    assert first.stderr == "prepared run\n"
    again = start(checkout, "demo", "a b")
    assert (again.stdout, again.stderr) == ("command demo a b\n", "")


def test_a_changed_lock_or_a_moved_checkout_prepares_again(checkout):
    start(checkout)
    (checkout / "constraints" / "runtime.txt").write_text("a==2\n")
    assert start(checkout).stderr == "prepared run\n"
    assert start(checkout).stderr == ""
    moved = checkout.rename(checkout.with_name("moved"))
    assert start(moved).stderr == "prepared run\n"


def test_tests_need_their_own_preparation(checkout):
    start(checkout)
    tests = start(checkout, "test", "-k", "seal")
    assert (tests.stdout, tests.stderr) == ("tests -k seal\n", "prepared test\n")


def test_environment_elsewhere_and_start_through_a_link(checkout, tmp_path):
    link = tmp_path / "linked"
    link.symlink_to(checkout / "leadapron")
    env = os.environ | {"LEADAPRON_PYTHON": sys.executable, "LEADAPRON_VENV": str(tmp_path / "v")}
    done = subprocess.run([link, "up"], env=env, capture_output=True, text=True, check=False)
    assert done.stdout == "command up\n"
    assert not (checkout / ".venv").exists()


def test_without_a_python_one_line_says_what_to_do(checkout):
    done = start(checkout, LEADAPRON_PYTHON="python-that-is-not-here")
    assert done.returncode == 69
    assert done.stderr.count("\n") == 1
    assert "apt-get install python3" in done.stderr


def test_pip_configuration_reaches_uv(tmp_path):
    conf = tmp_path / "pip.conf"
    conf.write_text(
        "[global]\nindex-url = https://mirror.example/simple\ntrusted-host = mirror.example\n"
        "[install]\nproxy = http://proxy.example:3128\n"
    )
    base = {"PIP_CONFIG_FILE": str(conf), "HOME": str(tmp_path), "XDG_CONFIG_DIRS": str(tmp_path)}
    env = index_settings.installer_environment(base, tmp_path)
    assert env["UV_DEFAULT_INDEX"] == env["PIP_INDEX_URL"] == "https://mirror.example/simple"
    assert env["UV_INSECURE_HOST"] == "mirror.example"
    assert env["HTTPS_PROXY"] == "http://proxy.example:3128"
    stronger = base | {"PIP_INDEX_URL": "https://other.example/simple"}
    assert index_settings.index_url(stronger) == "https://other.example/simple"
    strongest = stronger | {"UV_DEFAULT_INDEX": "https://uv.example/simple"}
    env = index_settings.installer_environment(strongest, tmp_path)
    assert env["UV_DEFAULT_INDEX"] == "https://uv.example/simple"


def test_nothing_is_chosen_where_nothing_was_configured(tmp_path):
    base = {"PIP_CONFIG_FILE": os.devnull, "HOME": str(tmp_path)}
    env = index_settings.installer_environment(base, tmp_path)
    assert "UV_DEFAULT_INDEX" not in env
    assert "PIP_INDEX_URL" not in env


class Index(http.server.BaseHTTPRequestHandler):
    """A package index of one project, in HTML (PEP 503) or JSON (PEP 691)."""

    files: ClassVar[dict[str, bytes]] = {}
    as_json = False

    def do_GET(self):
        name = self.path.rsplit("/", 1)[-1]
        if name:
            kind, body = "application/zip", self.files[name]
        elif self.as_json:
            kind = "application/vnd.pypi.simple.v1+json"
            listed = [{"filename": f, "url": f"/files/{f}"} for f in self.files]
            body = json.dumps({"files": listed}).encode()
        else:
            kind = "text/html"
            body = "".join(f'<a href="/files/{f}#sha256=0">{f}</a>' for f in self.files).encode()
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def index(tmp_path):
    wheel = tmp_path / "w.zip"
    machine = os.uname().machine
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("uv-9.9.9.data/scripts/uv", "#!/bin/sh\necho uv 9.9.9\n")
    name = f"uv-9.9.9-py3-none-manylinux_2_17_{machine}.whl"
    Index.files = {"uv-9.9.9.tar.gz": b"source", name: wheel.read_bytes()}
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Index)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/simple"
    server.shutdown()
    server.server_close()


def lock_file(tmp_path: Path, digest: str) -> Path:
    lock = tmp_path / "uv.txt"
    lock.write_text(f"uv==9.9.9 ; sys_platform == 'linux' \\\n    --hash=sha256:{digest}\n")
    return lock


@pytest.mark.skipif(not os.confstr("CS_GNU_LIBC_VERSION"), reason="the stand-in wheel is for glibc")
@pytest.mark.parametrize("as_json", [False, True])
def test_uv_comes_from_the_configured_index_with_its_hash_checked(
    tmp_path, index, as_json, monkeypatch
):
    monkeypatch.setattr(Index, "as_json", as_json)
    venv = tmp_path / "venv"
    (venv / "bin").mkdir(parents=True)
    wheel = next(data for name, data in Index.files.items() if name.endswith(".whl"))
    lock = lock_file(tmp_path, hashlib.sha256(wheel).hexdigest())
    uv = fetch_tool.fetch_uv(lock, venv, {"UV_DEFAULT_INDEX": index})
    assert uv == venv / "bin" / "uv"
    assert fetch_tool.find_uv(venv) == uv
    assert not (venv / ".tools").exists()


def test_a_wheel_with_another_hash_is_not_used(tmp_path, index, monkeypatch):
    venv = tmp_path / "venv"
    (venv / "bin").mkdir(parents=True)
    served = tmp_path / "served.whl"
    served.write_bytes(b"not what was pinned")
    monkeypatch.setattr(fetch_tool, "_with_pip", lambda *_: served)
    with pytest.raises(fetch_tool.FetchError, match="SHA-256"):
        fetch_tool.fetch_uv(lock_file(tmp_path, "0" * 64), venv, {"UV_DEFAULT_INDEX": index})
    assert not (venv / "bin" / "uv").exists()


@pytest.mark.parametrize(
    ("output", "says"),
    [
        ("invalid peer certificate: UnknownIssuer", "SSL_CERT_FILE"),
        ("error sending request for url: dns error", "PIP_INDEX_URL"),
        ("Hash mismatch for `typer`", "SHA-256"),
        ("No space left on device", "disk is full"),
        ("Permission denied (os error 13)", "LEADAPRON_VENV"),
    ],
)
def test_failures_become_one_line_with_a_remedy(output, says):
    line = bootstrap.explain(output)
    assert says in line
    assert "\n" not in line


def test_a_failing_installer_stops_the_start(tmp_path):
    command = [sys.executable, "-c", "import sys; sys.exit('Hash mismatch')"]
    with pytest.raises(bootstrap.SetupError, match="SHA-256"):
        bootstrap.run(command, dict(os.environ), tmp_path)


def test_a_folder_that_is_no_environment_is_never_cleared(tmp_path):
    (tmp_path / "letters.txt").write_text("dear")
    with pytest.raises(bootstrap.SetupError, match="not a Python environment"):
        bootstrap.create(tmp_path)
    assert (tmp_path / "letters.txt").read_text() == "dear"


def test_markers_come_last_and_a_failed_preparation_leaves_none(tmp_path, monkeypatch):
    venv = tmp_path / "venv"
    seen = []

    def prepare(root, where, purpose):
        seen.append([path.name for path in where.glob(".leadapron-*") if "home" not in path.name])
        if purpose == "test":
            raise bootstrap.SetupError("no network")

    monkeypatch.setattr(bootstrap, "prepare", prepare)
    bootstrap.main(ROOT, venv, "run", "1")
    assert (venv / ".leadapron-run").read_text() == "1\n"
    bootstrap.main(ROOT, venv, "run", "1")
    assert len(seen) == 1
    with pytest.raises(bootstrap.SetupError):
        bootstrap.main(ROOT, venv, "test", "2")
    assert seen[1] == []
    assert not list(venv.glob(".leadapron-run"))


def test_a_moved_environment_is_made_anew(tmp_path):
    venv = tmp_path / "venv"
    bootstrap.create(venv)
    assert bootstrap.works(venv)
    assert not bootstrap.works(venv.rename(tmp_path / "moved"))


def test_pytest_gets_two_workers_unless_told_otherwise():
    assert "-n" in run_tests.pytest_command(["tests/unit"], 2)
    assert run_tests.pytest_command(["-n0"], 2) == ["pytest", "-n0"]
    assert run_tests.pytest_command([], 1) == ["pytest"]


def test_every_pinned_package_has_hashes():
    for lock in (ROOT / "constraints").glob("*.txt"):
        text = lock.read_text()
        assert "://" not in text, f"{lock.name} names an index"
        for entry in text.replace("\\\n", " ").splitlines():
            assert "--hash=sha256:" in entry, f"{lock.name}: {entry.split()[0]} has no hash"


def test_test_versions_are_the_runtime_versions():
    def pins(name: str) -> set[str]:
        lines = (ROOT / "constraints" / name).read_text().splitlines()
        return {line.split(" ;")[0] for line in lines if "==" in line and line[0] != " "}

    assert pins("runtime.txt") <= pins("test.txt")
