"""Known values of other people: ``python benchmarks/replanted.py [--people N] [--show]``.

The films of ``deid/pseudo_phi`` get other identities (hyphens, particles, apostrophes, Chinese and
pinyin names, numbers of other shapes), planted into known places and, in free forms, into
descriptions, comments, private data, nested sequences and content trees. Printed: files that
still hold one of the planted forms or a known value, and the share of ordinary words beside them
that stayed. The seed was never looked at while the sweep was built.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from random import Random

import pydicom
from pydicom import Dataset
from pydicom.dataelem import DataElement

from leadapron.deid import MemoryVault, Profile, deidentify

ROOT = Path(__file__).resolve().parent.parent
DEFAULT = Path(os.environ.get("LEADAPRON_TEST_DATA", ROOT.parent / "shared" / "data"))
KEY = b"benchmark key of thirty-two byte"
SEED = 90_210_417
HEADERS = replace(Profile.gateway(), clean_pixels=False)
PEOPLE = (
    "Fitzgerald-Okonkwo^Maeve^Louise", "van der Meulen^Pieter", "O'Halloran^Siobhán",
    "de la Cruz Ibáñez^José María", "Ng^Wai Ling", "Ó Súilleabháin^Cian", "Bin Rashid^Omar^Khalid",
    "D'Angelo^Mia", "Li^Na", "Zhang^Wei Ming", "Ouyang^Xiaofeng", "Müller-Lüdenscheidt^Jürgen",
    "St. John^Ivy", "McAllister^Rhona^J", "Nakamura^Hiroko", "Kowalczyk^Zofia^^Dr", "Park^Min-Jun",
    "Gray^Dorian", "Al-Farouqi^Yasmin", "Tran^Thi Hong Nhung", "Wójcik^Łukasz", "Young^Neil^P",
)  # fmt: skip
CHINESE = ("欧阳^晓峰", "张^伟明", "李^娜", "诸葛^亮", "王^芳", "赵钱^孙", "陈^一", "司马^相如")
PLACES = (
    "Harrowgate-Lund Memorial Hospital", "St. Brigid's Clinic", "Kerr, Obi and Walsh Imaging",
    "Northfield Children's Hospital", "Universitätsklinikum Süd", "市第三人民医院",
)  # fmt: skip
STREETS = (
    "4471 Larch Crossing Suite 12", "88 Rue de l'Abbé", "PO Box 1187", "0913 Gomez Springs Apt. 4",
    "朝阳区建国路93号院6号楼1202室",
)  # fmt: skip
WORDS = (
    "CHEST", "AP", "portable", "lateral", "thorax", "WITHOUT contrast", "bilateral", "HIP",
    "supine", "follow-up", "routine", "axial", "2.5mm", "KVP 120", "kernel B60f", "T2 FLAIR",
    "pneumonia", "fracture", "post-op", "scout", "arterial phase", "bone window",
)  # fmt: skip
FREE = (
    "StudyDescription", "SeriesDescription", "ImageComments", "StudyComments", "PatientComments",
    "AdditionalPatientHistory", "RequestedProcedureDescription", "ProtocolName",
    "DerivationDescription", "PerformedProcedureStepDescription", "ReasonForStudy",
    "CommentsOnThePerformedProcedureStep", "AcquisitionComments", "ContrastBolusAgent",
    "AcquisitionDeviceProcessingDescription",
)  # fmt: skip
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
LONGEST = {"LO": 64, "SH": 16}


@dataclass
class Person:
    """One invented patient: what stands in known places, and the forms of it in free text."""

    name: str
    number: str
    accession: str
    born: tuple[int, int, int]
    examined: tuple[int, int, int]
    phone: str
    street: str
    place: str
    physician: str
    forms: list[str] = field(default_factory=list)


def person(rng: Random) -> Person:
    """Return one person with the forms in which text may speak of him or her."""
    chinese = rng.random() < 0.25
    name = rng.choice(CHINESE if chinese else PEOPLE)
    made = Person(
        name,
        number(rng),
        number(rng),
        (rng.randint(1926, 2019), rng.randint(1, 12), rng.randint(1, 28)),
        (rng.randint(1998, 2025), rng.randint(1, 12), rng.randint(1, 28)),
        phone(rng),
        rng.choice(STREETS),
        rng.choice(PLACES),
        rng.choice(PEOPLE),
    )
    made.forms = [
        *names(name, rng), *names(made.physician, rng), *numbers(made.number),
        *numbers(made.accession), *dates(made.examined), *dates(made.born), made.phone,
        re.sub(r"\D", "", made.phone), made.street, made.place,
    ]  # fmt: skip
    return made


def number(rng: Random) -> str:
    """Return an identifier in one of the shapes that hospitals use."""
    digits = "".join(rng.choices("0123456789", k=10))
    return rng.choice((
        digits, digits[:7], f"00{digits[:6]}", f"{digits[:3]}-{digits[3:5]}-{digits[5:9]}",
        f"MR{digits[:6]}", f"H{digits[:5]}/{digits[5:7]}", f"{digits[:4]}.{digits[4:8]}",
        f"ZY{digits}", f"P-{digits[:8]}", f"{digits[:2]}A{digits[2:7]}",
    ))  # fmt: skip


def phone(rng: Random) -> str:
    """Return a telephone number in one of its forms."""
    d = "".join(rng.choices("23456789", k=10))
    return rng.choice((
        f"({d[:3]}) {d[3:6]}-{d[6:]}", f"{d[:3]}.{d[3:6]}.{d[6:]}", f"+1-{d[:3]}-{d[3:6]}-{d[6:]}",
        f"138{d[:8]}", f"010-{d[:8]}", f"+49 30 {d[:7]}", f"0{d[:4]} {d[4:]}",
    ))  # fmt: skip


def names(name: str, rng: Random) -> list[str]:
    """Return ways to write a PN value."""
    family, given, middle = [*name.split("^"), "", ""][:3]
    if re.search(r"[\u4e00-\u9fff]", name):
        return [
            family + given,
            f"{family} {given}",
            f"{given}{family}",
            f"{family}先生",
            f"患者{family}{given}",
        ]
    first = given.split()[0]
    initial = first[0]
    found = [
        f"{given} {family}", f"{family}, {given}", f"{family}^{given}", f"{family}_{given}",
        f"{initial}. {family}", f"{family} {initial}", f"{first} {family}", f"{given}.{family}",
        f"{given} {middle} {family}" if middle else f"{family} {given}", f"Mrs. {family}",
        f"{family}",
    ]  # fmt: skip
    return [f.upper() if rng.random() < 0.3 else f for f in found]


def numbers(value: str) -> list[str]:
    """Return ways to write an identifier."""
    bare = re.sub(r"\W", "", value)
    apart = " ".join(re.findall("..?.?", bare)) if len(bare) > 6 else value
    labelled = f"ID{bare}" if bare[0].isdigit() else bare.lower()
    return [value, bare, f"#{value}", labelled, apart, f"{value}_1"]


def dates(day: tuple[int, int, int]) -> list[str]:
    """Return ways to write a date."""
    y, m, d = day
    long, short = MONTHS[m - 1], MONTHS[m - 1][:3]
    return [
        f"{y}{m:02}{d:02}", f"{y}-{m:02}-{d:02}", f"{m:02}/{d:02}/{y}", f"{d:02}.{m:02}.{y}",
        f"{short}{y}", f"{long} {d}, {y}", f"{d} {short} {y}", f"{y}年{m}月{d}日",
        f"{m}/{d}/{y % 100:02}", f"{y}/{m}/{d}", f"{d}-{short}-{y}", f"{long} {y}",
        f"{d:02}{short.upper()}{y}", f"{short} {d}",
    ]  # fmt: skip


@dataclass
class Planted:
    """A film with another person on it, and what was written where."""

    data: bytes
    forms: list[tuple[str, str]]
    kept: list[tuple[str, str]]
    who: Person


def planted(source: Dataset, rng: Random) -> Planted:
    """Return `source` with a new identity in its known places and in free text."""
    ds, who = deepcopy(source), person(rng)
    identify(ds, who)
    forms: list[tuple[str, str]] = []
    kept: list[tuple[str, str]] = []
    for holder, tag, vr in sites(ds):
        form, words = rng.choice(who.forms), rng.sample(WORDS, 2)
        glue = rng.choice((" for {} ", " - {} - ", " {} ", ", {}; ", " ({}) "))
        text = f"{words[0]}{glue.format(form)}{words[1]}"
        if len(text) > LONGEST.get(vr, 10**6):
            text = form
            words = []
        if len(text) > LONGEST.get(vr, 10**6):
            continue
        holder[tag] = DataElement(tag, vr, text)
        forms.append((str(tag), form))
        if not tag.is_private:  # an unknown private text goes whole, as Table E.1-1 says
            kept += [(str(tag), w) for w in words]
    out = BytesIO()
    ds.save_as(out, enforce_file_format=True)
    return Planted(out.getvalue(), forms, kept, who)


def identify(ds: Dataset, who: Person) -> None:
    """Write the identity into the places that are known to hold it."""
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.PatientName, ds.PatientID, ds.AccessionNumber = who.name, who.number, who.accession[:16]
    ds.PatientBirthDate, ds.StudyDate = (
        f"{y:04}{m:02}{d:02}" for y, m, d in (who.born, who.examined)
    )
    ds.SeriesDate = ds.AcquisitionDate = ds.ContentDate = ds.StudyDate
    ds.PatientTelephoneNumbers, ds.PatientAddress = who.phone[:16], who.street
    ds.InstitutionName, ds.ReferringPhysicianName = who.place, who.physician


def sites(ds: Dataset) -> Iterator[tuple[Dataset, pydicom.tag.BaseTag, str]]:
    """Yield where free text goes: attributes, a nested request, private data, a content tree."""
    request, step = Dataset(), Dataset()
    ds.RequestAttributesSequence, request.ScheduledProtocolCodeSequence = [request], [step]
    item = Dataset()
    item.RelationshipType, item.ValueType = "CONTAINS", "TEXT"
    ds.ContentSequence = [item]
    block = ds.private_block(0x0019, "SIEMENS MR HEADER", create=True)
    block.add_new(0x0C, "IS", "800")
    other = ds.private_block(0x0029, "ACME 1.1", create=True)
    other.add_new(0x01, "LO", "x")
    for keyword in FREE:
        tag = pydicom.tag.Tag(keyword)
        yield ds, tag, pydicom.datadict.dictionary_VR(tag)
    yield request, pydicom.tag.Tag("ScheduledProcedureStepDescription"), "LO"
    yield request, pydicom.tag.Tag("ReasonForTheRequestedProcedure"), "LO"
    yield step, pydicom.tag.Tag("CodeMeaning"), "LO"
    yield item, pydicom.tag.Tag("TextValue"), "UT"
    yield ds, other.get_tag(0x01), "LO"


def left(form: str, content: str) -> bool:
    """Return whether a form stands in the output as a word of its own."""
    pattern = re.escape(form.casefold())
    return bool(re.search(rf"(?<![^\W_]){pattern}(?![^\W_])", content))


def texts(ds: Dataset) -> Iterator[tuple[str, str]]:
    """Yield (tag, text) of everything readable, at every depth."""
    for element in ds:
        if element.VR == "SQ":
            for item in element.value:
                yield from texts(item)
        elif isinstance(element.value, bytes):
            yield str(element.tag), element.value.decode("utf-8", "replace").casefold()
        else:
            yield str(element.tag), str(element.value).casefold()


def main() -> None:
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DEFAULT)
    parser.add_argument("--people", type=int, default=12, help="people a film")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--show", action="store_true", help="print what was left and what was lost")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    files = sorted((options.data / "deid" / "pseudo_phi").glob("*.dcm"))
    if not files:
        print(f"SKIPPED: no files in {options.data}/deid/pseudo_phi", file=sys.stderr)
        return
    vault, count = MemoryVault(KEY), Counter[str]()
    for file in files:
        source = pydicom.dcmread(file, stop_before_pixels=True)
        for number_ in range(options.people):
            made = planted(source, Random(f"{options.seed} {file.name} {number_}"))
            judge(made, vault, count, options.show)
    results = {
        "films": count["films"],
        "quarantined": count["quarantined"],
        "forms planted": count["forms"],
        "forms left": count["left"],
        "films leaking": count["leaking"],
        "ordinary words kept": f"{count['kept']}/{count['words']}"
        f" = {count['kept'] / max(1, count['words']):.1%}",
    }
    for key, value in results.items():
        print(f"  {key:22} {value}")
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")


def judge(made: Planted, vault: MemoryVault, count: Counter[str], show: bool) -> None:
    count["films"] += 1
    result = deidentify(pydicom.dcmread(BytesIO(made.data)), HEADERS, vault)
    if result.dataset is None:
        count["quarantined"] += 1
        if show:
            print("quarantined", result.quarantine)
        return
    out = BytesIO()
    result.dataset.save_as(out, enforce_file_format=True)
    after = list(texts(pydicom.dcmread(BytesIO(out.getvalue()))))
    content = "\n".join(text for _, text in after)
    found = [(tag, form) for tag, form in made.forms if left(form, content)]
    count["forms"] += len(made.forms)
    count["left"] += len(found)
    count["leaking"] += bool(found)
    stayed = Counter[str]()
    by_tag: dict[str, str] = {}
    for tag, text in after:
        by_tag[tag] = f"{by_tag.get(tag, '')} {text}"
    for tag, word in made.kept:
        good = word.casefold() in by_tag.get(tag, "")
        stayed[tag] += good
        count["kept"] += good
        count["words"] += 1
        if show and not good:
            form = next(f for t, f in made.forms if t == tag)
            print("lost", tag, repr(word), "beside", repr(form), "->", repr(by_tag.get(tag)))
    if show:
        for tag, form in found:
            print("LEFT", tag, repr(form), "of", made.who.name, "->", repr(by_tag.get(tag)))


if __name__ == "__main__":
    main()
