"""Whether a clear value looks like personal data (个人信息保护法): what stands in clear on the chain, or can be guessed
from what does, stands there for ever.

It knows shapes, not meaning: who is asked about a value that has none of these shapes must still look. The same
function answers in the SDK, before anything leaves, and in the contract, so it depends on nothing but the value.
"""

from __future__ import annotations

import re
from typing import Final

IDENTITY: Final = "identity"
MOBILE: Final = "mobile"
CARD: Final = "card"
PLATE: Final = "plate"
EMAIL: Final = "email"
KINDS: Final = (IDENTITY, CARD, PLATE, MOBILE, EMAIL)

LEAST_NUMBER: Final = 13_000_000_000
"""The least whole number that looks like personal data, a mobile number. Amounts below are never mistaken for one."""
_LEAST_CHARS: Final = 6
"""Of a text: ``a@b.cn``. Shorter ones hold nothing of what is looked for."""

_PROVINCE: Final = "(?:1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[1-3])"
_MONTH_AND_DAY: Final = "(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])"
_IDENTITY: Final = re.compile(
    rf"(?<![0-9]){_PROVINCE}[0-9]{{4}}(?:18|19|20)[0-9]{{2}}{_MONTH_AND_DAY}[0-9]{{3}}[0-9X](?![0-9])",
    re.ASCII | re.IGNORECASE,
)
_OLD_IDENTITY: Final = re.compile(rf"{_PROVINCE}[0-9]{{4}}[0-9]{{2}}{_MONTH_AND_DAY}[0-9]{{3}}", re.ASCII)
_ID_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ID_CHECKS: Final = "10X98765432"
_CARD: Final = re.compile(
    "(?<![0-9])(?:6[0245][0-9]{14,17}|(?:4[0-9]|5[1-5]|35|2[2-7])[0-9]{14}|955[89][0-9]{15})(?![0-9])", re.ASCII
)
_SEPARATORS: Final = "[-_ .]"
_BETWEEN_DIGITS: Final = re.compile(f"(?<=[0-9]){_SEPARATORS}(?=[0-9X])", re.ASCII | re.IGNORECASE)
_CARD_IN_FOURS: Final = re.compile(
    f"(?<![0-9])[0-9]{{4}}(?:{_SEPARATORS}[0-9]{{4}}){{3}}(?:{_SEPARATORS}[0-9]{{1,3}})?(?![0-9])", re.ASCII
)
_MOBILE: Final = re.compile(r"(?<![0-9])(?:\+?(?:00)?86[- _]?|0)?1[3-9][0-9](?:[- _]?[0-9]{4}){2}(?![0-9])", re.ASCII)
_EMAIL: Final = re.compile(r"[A-Z0-9._%+-]+@[A-Z0-9-]+(?:\.[A-Z0-9-]+)*\.[A-Z]{2,24}", re.ASCII | re.IGNORECASE)
_PLATE: Final = re.compile(
    "[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼使领][A-HJ-NP-Z][·•. _-]?"
    "[A-HJ-NP-Z0-9]{4,5}[A-HJ-NP-Z0-9挂学警港澳领使](?![A-Z0-9])",
    re.ASCII | re.IGNORECASE,
)
_SPELT_PLATE: Final = re.compile(
    "(?:jing|jin|hu|yu|ji|yun|liao|hei|xiang|wan|lu|xin|su|zhe|gan|e|gui|meng|shan|min|yue|qing|zang|chuan|ning|qiong)"
    "[ _-]?[a-hj-np-z][ _-]?([a-hj-np-z0-9]{5,6})",
    re.ASCII | re.IGNORECASE,
)
"""A plate whose province stands in Latin letters, as a token would have to spell it."""
_LEAST_PLATE_DIGITS: Final = 3


def personal_kind(value: str | int) -> str | None:
    """Which of ``KINDS`` a clear value looks like, or nothing. A text is searched (a docket number may hold more than
    the number sought); whole numbers below :data:`LEAST_NUMBER` look like none.

    * ``identity``: an 18-digit 身份证号 with a province, a date of birth and the checksum of GB 11643; or, where it is
      the whole value, an old one of 15 digits with a date that may be (it has no checksum); also written in groups;
    * ``card``: 16 to 19 digits with an issuer's prefix and the checksum of ISO/IEC 7812-1; also in groups of four;
    * ``plate``: 号牌 as on the car, or with the province in Latin letters where it is the whole value;
    * ``mobile``: 11 digits from 13 to 19, with or without 86 or 0 before them;
    * ``email``.
    """
    if isinstance(value, int):
        if abs(value) < LEAST_NUMBER:
            return None
        text = str(abs(value))
    else:
        text = value
        if len(text) < _LEAST_CHARS:
            return None
    for kind, looks in _LOOKS:
        if looks(text):
            return kind
    return None


def _is_identity(text: str) -> bool:
    if _OLD_IDENTITY.fullmatch(text) is not None or any(map(_identity_checks, _IDENTITY.findall(text))):
        return True
    joined = _BETWEEN_DIGITS.sub("", text)
    return joined != text and any(map(_identity_checks, _IDENTITY.findall(joined)))


def _is_card(text: str) -> bool:
    if any(map(_luhn_checks, _CARD.findall(text))):
        return True
    in_fours = (_BETWEEN_DIGITS.sub("", found) for found in _CARD_IN_FOURS.findall(text))
    return any(_CARD.fullmatch(number) is not None and _luhn_checks(number) for number in in_fours)


def _is_plate(text: str) -> bool:
    spelt = _SPELT_PLATE.fullmatch(text)
    if spelt is not None and sum(map(str.isdigit, spelt[1])) >= _LEAST_PLATE_DIGITS:
        return True
    return _PLATE.search(text) is not None


def _is_mobile(text: str) -> bool:
    return _MOBILE.search(text) is not None


def _is_email(text: str) -> bool:
    return _EMAIL.search(text) is not None


def _identity_checks(number: str) -> bool:
    """GB 11643: the last character follows from the seventeen before it."""
    total = sum(int(digit) * weight for digit, weight in zip(number, _ID_WEIGHTS, strict=False))
    return _ID_CHECKS[total % 11] == number[17].upper()


def _luhn_checks(number: str) -> bool:
    """ISO/IEC 7812-1: of every second digit from the right, twice as much; the sum ends in nought."""
    total = 0
    for position, digit in enumerate(reversed(number)):
        value = int(digit) * (1 + position % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


_LOOKS: Final = (
    (IDENTITY, _is_identity),
    (CARD, _is_card),
    (PLATE, _is_plate),
    (MOBILE, _is_mobile),
    (EMAIL, _is_email),
)
