"""What the documents say is true: commands, options, settings, links, licences."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def load(name: str):
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


licences, reference = load("licences"), load("reference")

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
CODE = re.compile(r"```(\w*)\n(.*?)```", re.DOTALL)
MENTION = re.compile(r"(?:\./)?\bleadapron ((?:[a-z]+ ?)+)")
LAUNCHER_ONLY = {"test"}
COMMANDS = {
    name.removeprefix("leadapron "): {
        o for p in command.params for o in (*p.opts, *p.secondary_opts)
    }
    for name, command in reference.commands()
}
GROUPS = {name.split()[0] for name in COMMANDS if " " in name}


def ids(page: Path) -> str:
    return page.name


def blocks(page: Path, *languages: str) -> list[str]:
    return [code for language, code in CODE.findall(page.read_text()) if language in languages]


def command_lines(page: Path) -> list[str]:
    shell = [line for code in blocks(page, "sh") for line in code.splitlines()]
    inline = re.findall(r"`((?:\./)?leadapron [^`]+)`", page.read_text())
    found = [line.split("#")[0].strip() for line in [*shell, *inline]]
    return [line for line in found if re.match(r"(?:\./|~/\S*/)?leadapron\s", line)]


def named(line: str) -> str | None:
    """Return the command that a line calls, None for global options alone."""
    words = [w for w in line.split()[1:] if not w.startswith("-")]
    if not words:
        return None
    return " ".join(words[:2]) if words[0] in GROUPS else words[0]


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_commands_and_options_in_the_documents_exist(page):
    for line in command_lines(page):
        command = named(line)
        if command is None or command in LAUNCHER_ONLY or "IN OUT" in command:
            continue
        if command in GROUPS or command.endswith(" /"):
            continue
        assert command in COMMANDS, f"{page.name}: there is no command in: {line}"
        for option in re.findall(r"(?<![\w-])--[a-z][a-z-]+", line):
            assert option in COMMANDS[command] | {"--help"}, f"{page.name}: no {option} in: {line}"


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_and_option_is_in_the_reference(command):
    text = (ROOT / "docs" / "reference.md").read_text()
    section = re.search(
        rf"^### `leadapron {re.escape(command)}[ `](.*?)(?=^##)", text, re.DOTALL | re.MULTILINE
    )
    assert section, f"docs/reference.md has no {command}: run scripts/reference.py"
    for option in COMMANDS[command]:
        if option.startswith("--") and not option.startswith("--no-") and option != "--help":
            assert f"`{option}`" in section[1], f"{command} {option}: run scripts/reference.py"


def test_every_setting_is_in_the_reference():
    from leadapron.app.settings import Settings

    text = (ROOT / "docs" / "reference.md").read_text()
    for name, field in Settings.model_fields.items():
        assert f"| `{name}` | `LEADAPRON_{name.upper()}` |" in text, "run scripts/reference.py"
        assert field.description, f"the setting {name} says nothing"


def test_the_stable_commands_are_the_promised_ones():
    promised = {
        "demo": {"--check", "--json", "--data"},
        "protect": {"--keys", "--transfer-syntax", "--json"},
        "deidentify": {"--json"},
        "unseal": {"--keys", "--regions", "--json"},
        "trace": {"--data", "--json"},
        "ledger verify": {"--data", "--json"},
        "fsck": {"--data", "--json"},
    }
    for command, options in promised.items():
        assert options <= COMMANDS[command], command


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if target.startswith(("http:", "https:", "mailto:")):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), f"{page.name} links to {target}, which is not there"
        if anchor and linked.suffix == ".md":
            headings = re.findall(r"^#+ (.+)$", linked.read_text(), re.MULTILINE)
            slugs = {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}
            assert anchor in slugs, f"{page.name} links to {target}: no such heading"


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_data_in_the_documents_can_be_read(page):
    for code in blocks(page, "json"):
        json.loads(code)
    for code in blocks(page, "toml"):
        tomllib.loads(code)


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_python_in_the_documents_imports_what_exists(page):
    for code in blocks(page, "python"):
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("leadapron"):
                module = importlib.import_module(node.module)
                for alias in node.names:
                    assert hasattr(module, alias.name), f"{page.name}: {node.module}.{alias.name}"


def test_settings_in_the_documents_exist():
    from leadapron.app.settings import Settings

    for page in PAGES:
        for code in blocks(page, "toml"):
            strangers = set(tomllib.loads(code)) - set(Settings.model_fields)
            assert not strangers, f"{page.name} sets {strangers}"


def test_both_readmes_show_the_same_commands_and_picture():
    english, chinese = (ROOT / name for name in ("README.md", "README.zh-CN.md"))

    def facts(page: Path) -> tuple[list[str], list[str], list[str]]:
        text = page.read_text()
        table = re.findall(r"^\| `(leadapron [a-z ]+)", text, re.MULTILINE)
        return blocks(page, "sh"), table, re.findall(r"\((docs/img/[^)]+)\)", text)

    assert facts(english) == facts(chinese)


def test_every_page_is_reachable_from_the_index():
    index = (ROOT / "docs" / "index.md").read_text()
    for page in (ROOT / "docs").glob("*.md"):
        assert page.name == "index.md" or f"({page.name})" in index, (
            f"{page.name} is not in the index"
        )


def test_licences_are_complete_and_compatible():
    python, console = licences.python_packages(), licences.console_packages()
    page = (ROOT / "docs" / "licences.md").read_text()
    for name in python | console:
        assert f"| {name} | " in page, f"{name}: run scripts/licences.py"
    assert licences.incompatible(python | console) == {}


def test_an_incompatible_licence_would_be_noticed():
    assert licences.incompatible({"a": "GPL-3.0-only", "b": "MIT", "c": "unknown"}).keys() == {
        "a",
        "c",
    }
    assert licences.incompatible({"d": "(MIT OR Apache-2.0) AND MPL-2.0"}) == {}


def test_regions_and_errors_are_in_the_glossary_and_reference():
    from leadapron.model import Region

    glossary = (ROOT / "docs" / "glossary.md").read_text()
    missing = [region for region in Region if region.value not in glossary]
    assert not missing
