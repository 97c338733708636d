"""Pictures go unsearched only where the flag and an administrator's rule agree."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from test_deid_pixels import capture, picture

from leadapron.app.settings import Settings
from leadapron.deid import MemoryVault, Profile, deidentify
from leadapron.deid.devices import CleanDevice
from leadapron.model import BadInput

RULE = CleanDevice("Kleinfilm", model="DX 9", station="ROOM2")


def report(flag: str, *rules: CleanDevice, **device: str):
    ds = capture(picture("KAUFMAN 6774825273"))
    if flag:
        ds.BurnedInAnnotation = flag
    ds.Manufacturer, ds.ManufacturerModelName, ds.StationName = "KLEINFILM ", "DX 9", "Room2"
    for keyword, value in device.items():
        setattr(ds, keyword, value)
    profile = dataclasses.replace(Profile.gateway(), clean_devices=rules)
    result = deidentify(ds, profile, MemoryVault())
    return result.report, result.require()


def test_the_flag_alone_never_skips_the_search() -> None:
    done, clean = report("NO")
    assert done.pixels["examined"]
    assert done.boxes
    assert clean.BurnedInAnnotation == "NO"


@pytest.mark.parametrize("flag", ["", "YES", "MAYBE"])
def test_the_rule_alone_never_skips_the_search(flag: str) -> None:
    done, clean = report(flag, RULE)
    assert done.boxes
    assert clean.BurnedInAnnotation == "NO"


@pytest.mark.parametrize("place", ["Manufacturer", "ManufacturerModelName", "StationName"])
def test_another_device_is_searched(place: str) -> None:
    assert report("NO", RULE, **{place: "other"})[0].boxes


def test_flag_and_rule_together_skip_and_the_report_says_so() -> None:
    done, _ = report("NO", CleanDevice("nobody", model="x"), RULE)
    assert not done.boxes
    assert done.pixels == {"examined": False, "because": "the device is proven clean and says so"}


@pytest.mark.parametrize("given", [("", "DX 9", "ROOM2"), ("Kleinfilm", "", " ")])
def test_a_rule_that_covers_too_much_is_refused(given: tuple[str, str, str]) -> None:
    with pytest.raises(BadInput, match="clean devices"):
        CleanDevice(*given)


def test_rules_come_from_the_settings_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Settings.of().gateway_profile().clean_devices == ()
    file = tmp_path / "leadapron.toml"
    file.write_text('[[clean_devices]]\nmanufacturer = "Kleinfilm"\nmodel = "DX 9"\n')
    assert Settings.of().gateway_profile().clean_devices == (CleanDevice("Kleinfilm", "DX 9"),)
    for wrong in ('manufacturer = "Kleinfilm"', 'manufacturer = "a"\nserial = "7"'):
        file.write_text(f"[[clean_devices]]\n{wrong}\n")
        with pytest.raises(BadInput, match="clean_devices"):
            Settings.of()
