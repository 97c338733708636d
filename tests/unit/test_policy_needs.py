"""The diagnostic-need model as data."""

import json
import re
from importlib.resources import files
from pathlib import Path

import pytest

from leadapron.model import ANATOMY, BadInput, NotFound, Region
from leadapron.policy import NeedModel, default_model
from leadapron.policy.reasons import known

ROOT = files("leadapron.policy")
MODEL = default_model()
FIRST_NETWORK = frozenset({Region.RIGHT_LUNG, Region.LEFT_LUNG, Region.HEART, Region.RIBS})
EXPECTED = {
    "rib_fracture",
    "heart_size",
    "pneumonia",
    "pneumothorax",
    "pleural_effusion",
    "tuberculosis_screening",
    "lung_nodule",
    "clavicle_fracture",
    "line_and_tube_position",
    "preoperative_routine",
}


def test_the_usual_questions_are_there():
    assert set(MODEL.needs) >= EXPECTED
    with pytest.raises(NotFound, match="curiosity"):
        MODEL.get("curiosity")


@pytest.mark.parametrize("key", MODEL.needs)
def test_every_need_is_named_explained_and_answerable(key):
    need = MODEL.get(key)
    assert need.en and need.why
    assert re.search(r"[\u4e00-\u9fff]", need.zh)
    assert Region.OUTSIDE not in need.required | need.helpful
    assert not need.outlines & (need.required | need.helpful)
    film = ANATOMY | {Region.THORAX}
    full = MODEL.grant(need, film, in_domain=True)
    assert full.regions == need.required | need.helpful
    assert not full.substituted | full.missing


@pytest.mark.parametrize("key", MODEL.needs)
def test_every_need_gets_something_on_a_film_of_the_first_network(key):
    grant = MODEL.grant(MODEL.get(key), FIRST_NETWORK, in_domain=True)
    assert grant.regions
    assert grant.regions <= FIRST_NETWORK
    assert not grant.missing


@pytest.mark.parametrize("key", MODEL.needs)
def test_only_whole_film_needs_see_a_film_of_which_nothing_is_known(key):
    need, whole = MODEL.get(key), frozenset({Region.OUTSIDE})
    grant = MODEL.grant(need, whole, in_domain=False)
    assert grant.regions == (whole if need.whole_film else frozenset())


def test_what_cannot_be_replaced_is_told():
    grant = MODEL.grant(MODEL.get("heart_size"), frozenset({Region.SPINE}), in_domain=True)
    assert grant.regions == frozenset()
    assert grant.missing == {Region.HEART}


@pytest.mark.parametrize(
    "changes",
    [
        {"required": []},
        {"required": ["brain"]},
        {"background": "blur"},
        {"psnr_db": 10},
        {"psnr_db": None},
        {"zh": ...},
    ],
    ids=str,
)
def test_a_broken_model_is_refused(changes):
    value = json.loads(ROOT.joinpath("needs.json").read_text(encoding="utf-8"))
    need = value["needs"]["pneumonia"]
    need.update({k: v for k, v in changes.items() if v is not ...})
    for key in (k for k, v in changes.items() if v is ...):
        del need[key]
    with pytest.raises(BadInput):
        NeedModel.from_json(value)


def test_every_guard_has_its_reason_in_both_languages():
    folder = ROOT.joinpath("cedar")
    text = "".join(f.read_text() for f in folder.iterdir() if f.name.endswith(".cedar"))
    policies = re.findall(r'@id\("([^"]+)"\)\s*(permit|forbid)', text)
    assert len(policies) == len(re.findall(r"^(permit|forbid) \(", text, re.MULTILINE))
    assert all(known(name) for name, effect in policies if effect == "forbid")
    for code, words in json.loads(ROOT.joinpath("reasons.json").read_text("utf-8")).items():
        fields = [sorted(re.findall(r"{(\w+)}", words[tongue])) for tongue in ("en", "zh")]
        assert fields[0] == fields[1], code
        assert re.search(r"[\u4e00-\u9fff]", words["zh"]), code


def test_the_page_lists_every_need_as_the_data_has_it():
    page = Path(__file__).parents[2].joinpath("docs", "policy.md").read_text(encoding="utf-8")
    for need in MODEL.needs.values():
        row = next(line for line in page.splitlines() if line.startswith(f"| `{need.key}` |"))
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        listed = [frozenset(Region(r) for r in c.split(", ") if r != "–") for c in cells[2:4]]
        assert cells[1] == need.zh
        assert listed == [need.required, need.helpful]
        assert cells[5] == f"{need.background}, {need.psnr_db:g} dB"
