"""Shapes of identifying text, found without knowing the patient."""

from __future__ import annotations

import re
from collections.abc import Iterator

_MONTH = (
    "(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    "|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
_YEAR = r"(?:19|20)\d{2}"
_CLOCK = r"(?:[T\s]{1,2}\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?)?"
_HAN = r"\u4e00-\u9fff"

DATES = (
    rf"(?<!\d){_YEAR}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?!\d)",
    rf"(?<![\d.]){_YEAR}[-/.](?:0?[1-9]|1[0-2])[-/.](?:3[01]|[12]\d|0?[1-9])(?![\d.]\d){_CLOCK}",
    rf"(?<![\d.])(?:3[01]|[12]\d|0?[1-9])[-/.](?:3[01]|[12]\d|0?[1-9])[-/.]{_YEAR}(?!\d){_CLOCK}",
    r"(?<![\d/])(?:1[0-2]|0?[1-9])/(?:3[01]|[12]\d|0?[1-9])/\d{2}(?![\d/])",
    rf"(?<![a-z]){_MONTH}\.?[\s,_-]{{0,2}}(?:\d{{1,2}}(?:st|nd|rd|th)?[\s,_-]{{1,3}})?{_YEAR}(?!\d)",
    rf"(?<!\d)\d{{1,2}}(?:st|nd|rd|th)?[\s,._-]{{0,2}}{_MONTH}[\s,._-]{{0,2}}(?:{_YEAR}|\d{{2}})(?!\d)",
    rf"(?<!\d){_YEAR}[\s,._-]{{0,2}}{_MONTH}(?:[\s,._-]{{0,2}}\d{{1,2}}(?!\d))?(?![a-z])",
    rf"(?<!\d){_YEAR}\s?年(?:\s?\d{{1,2}}\s?月(?:\s?\d{{1,2}}\s?[日号])?)?",
    r"(?<!\d)\d{1,2}\s?月\s?\d{1,2}\s?[日号]",
)
CONTACTS = (
    r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+",
    r"(?<!\d)(?:\+?86[-\s]?)?1[3-9]\d[-\s]?\d{4}[-\s]?\d{4}(?!\d)",
    r"(?<!\d)0\d{2,3}[-\s]\d{7,8}(?!\d)",
    r"(?<![\d.])(?:\+?1[-.\s]?)?\(?\d{3}\)?[-.\s]\d{3}[-.\s]\d{4}(?:\s?(?:x|ext\.?)\s?\d+)?(?![\d.])",
    r"(?<![\d-])\d{3}-\d{2}-\d{4}(?![\d-])",
    r"(?<![A-Za-z0-9])[EG][A-Z]?\d{7,8}(?!\d)",
    r"(?<![A-Za-z0-9])(?-i:[A-Z]{1,2})\d{6}\s?[(（][0-9A][)）]",
    r"(?<![A-Za-z0-9])(?-i:[HM])\d{8}(?:\d{2})?(?![\dA-Za-z])",
)
_ID_LABEL = (
    "mrn|ssn|patient\\s?id|pat(?:ient)?\\s?(?:no|nr|number)|accession(?:\\s?(?:no|number))?|passport"
    "|病历号|病案号|住院号|门诊号|检查号|影像号|登记号|医保(?:卡)?号?|社保(?:卡)?号?|身份证号?码?|护照号?码?"
    "|患者编号|就诊卡号?|卡号|床号|手机号?码?|联系电话|电话"
)
LABELLED = (
    rf"(?<![A-Za-z])(?:{_ID_LABEL})(?:\s?(?:no|nr|number))?\s?[.#]?\s?[:：#=＝是为(（【\[]{{0,2}}\s*"
    r"[A-Za-z]{0,4}[-\s]?\d[\dA-Za-z-]{2,}",
    rf"(?:姓名|患者|病人|申请医[师生]|报告医[师生]|操作员|技师|家属|母亲|父亲)\s?[:：]\s?[{_HAN}·]{{2,4}}",
    r"(?<![A-Za-z])(?:name|patient|pt|physician|operator|tech(?:nologist)?)\s?:\s?"
    r"(?-i:[A-Z][\w'-]+)(?:[\s,^]{1,2}(?-i:[A-Z])[\w'-]*){0,2}",
    rf"[{_HAN}]{{2,3}}之(?:[大小长次幼]?[子女婴]|[男女]婴|婴儿|双胎)(?:[甲乙AB大小一二])?",
    r"(?<![A-Za-z])(?:baby(?:\s?(?:boy|girl))?|bb|b/o|newborn|neonate|infant)\s(?:of\s)?"
    r"(?-i:[A-Z][A-Za-z'-]{2,})",
    r"(?<![A-Za-z])(?:dr|mr|mrs|ms)\.?\s(?-i:[A-Z][a-z'-]+)(?:\s(?-i:[A-Z][a-z'-]+))?",
)
ADDRESSES = (
    rf"[{_HAN}]{{2,7}}(?:省|自治区|市|区|县|州)[{_HAN}\dA-Za-z-]{{1,30}}?"
    rf"(?:路|街|大道|巷|村|镇|弄|小区|新区|胡同)(?:[{_HAN}]{{0,6}}[\dA-Za-z-]+(?:号|栋|幢|单元|室|楼|弄))*",
    r"(?<!\w)\d{1,6}\s(?:[A-Z][\w.]*\s){1,4}(?:street|st|road|rd|avenue|ave|boulevard|blvd|lane|ln"
    r"|drive|dr|court|ct|way|parkway|pkwy|highway|hwy|square|sq)\.?(?![A-Za-z])",
    r"(?<![A-Za-z])(?-i:[A-Z]{2})\s\d{5}(?:-\d{4})?(?!\d)",
)

GENERIC = re.compile("|".join((*LABELLED, *CONTACTS, *DATES, *ADDRESSES)), re.IGNORECASE)
_TRIGGER = re.compile(
    rf"[\d@:：{_HAN}]|(?<![a-z])(?:b/o|bb|baby|newborn|neonate|infant|dr|mr|ms)", re.IGNORECASE
)
UIDS = re.compile(r"(?<![\d.])[012](?:\.(?:0|[1-9]\d*)){5,}(?![\d.]*\d)")
LONG_NUMBERS = re.compile(
    r"(?<!\d)(\d{6}[\s-]?\d{8}[\s-]?\d{3}[\dXx](?![\dA-Za-z])|(?<![A-Za-z])\d{15}(?![\dA-Za-z]))"
)
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def generic(text: str) -> bool:
    """Return whether GENERIC finds something; most texts hold nothing that it could begin with."""
    return bool(_TRIGGER.search(text) and GENERIC.search(text))


def is_id_card(number: str) -> bool:
    """Return whether a Chinese identity-card number is valid (GB 11643: date and checksum)."""
    born = number[6:14] if len(number) == 18 else "19" + number[6:12]
    if not ("1850" < born[:4] < "2100" and "01" <= born[4:6] <= "12" and "01" <= born[6:] <= "31"):
        return False
    if len(number) == 15:
        return True
    total = sum(int(d) * w for d, w in zip(number[:17], _WEIGHTS, strict=True))
    return "10X98765432"[total % 11] == number[17].upper()


def id_cards(text: str, *, strict: bool) -> Iterator[tuple[int, int]]:
    """Yield the spans of identity-card numbers; with a mistyped check digit if not `strict`."""
    for match in LONG_NUMBERS.finditer(text):
        number = re.sub(r"[\s-]", "", match.group(1))
        if is_id_card(number) or not strict:
            yield match.span()
