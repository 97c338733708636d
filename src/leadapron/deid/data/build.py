"""Make the data files again from their sources (a developer's tool, not used at run time).

``python -m leadapron.deid.data.build TABLE.json`` where TABLE.json holds PS3.15 Table E.1-1 as
rules (tag, name, basic, options) with its edition and source. Attribute types come from the
IOD definitions that highdicom carries.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydicom.datadict import tag_for_keyword

HERE = Path(__file__).parent
STRICTNESS = {"1": 0, "1C": 1, "2": 2, "2C": 3, "3": 4}


def compact_table(source: Path) -> dict[str, Any]:
    """Return rows as [tag, name, basic, {option index: action}] with the source's facts."""
    table = json.loads(source.read_text(encoding="utf-8"))
    keys = table["option_keys"]
    content_keys = table["content_option_keys"]
    facts = {k: table["source"][k] for k in ("standard", "table", "edition", "url")}
    return {
        "source": facts,
        "options": keys,
        "rows": [
            [r["tag"], r["name"], r["basic"], {keys.index(o): a for o, a in r["options"].items()}]
            for r in table["rules"]
        ],
        "content_options": content_keys,
        "content": [
            [
                c["scheme"],
                c["code"],
                c["meaning"],
                c["value_type"],
                c["basic"],
                {content_keys.index(o): a for o, a in c["options"].items()},
            ]
            for c in table["content_items"]
        ],
    }


def attribute_types(tags: set[str]) -> dict[str, Any]:
    """Return the strictest type of each row's attribute, per IOD at top level and nested."""
    standard = files("highdicom") / "_standard"
    sop = json.loads((standard / "sop_class_iod_map.json").read_text("utf-8"))
    iods = json.loads((standard / "iod_module_map.json").read_text("utf-8"))
    modules = json.loads((standard / "module_attribute_map.json").read_text("utf-8"))
    top: dict[str, dict[str, str]] = {}
    nested: dict[str, str] = {}
    for iod, parts in iods.items():
        for path, tag, kind in _attributes(parts, modules, tags):
            known = nested if path else top.setdefault(iod, {})
            key = f"{path[-1]}.{tag}" if path else tag
            if STRICTNESS[kind] < STRICTNESS[known.get(key, "3")]:
                known[key] = kind
    return {
        "source": "DICOM PS3.3 module tables, by way of highdicom (MIT)",
        "sop_classes": {uid: iod for uid, iod in sop.items() if iod in top},
        "iods": top,
        "nested": dict(sorted(nested.items())),
    }


def _attributes(
    parts: list[dict[str, str]], modules: dict[str, Any], tags: set[str]
) -> Iterator[tuple[list[str], str, str]]:
    for part in parts:
        for attribute in modules.get(part["key"], ()):
            number = tag_for_keyword(attribute["keyword"])
            if number is None or f"{number:08X}" not in tags:
                continue
            above = [tag_for_keyword(k) for k in attribute["path"]]
            yield [f"{n:08X}" for n in above if n], f"{number:08X}", attribute["type"]


def main() -> None:
    """Write both files beside this one."""
    table = compact_table(Path(sys.argv[1]))
    tags = {row[0] for row in table["rows"]} | {"00080100", "00080104", "00080102"}
    types = attribute_types(tags)
    for name, content in (("ps3_15_e1_1_2026d.json", table), ("attribute_types.json", types)):
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        (HERE / name).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
