"""A cheap guard against personal data in the clear (domain §6: 个人信息保护法; the chain never forgets).

It looks at what would stand on the chain for ever or can be guessed from it: clear fields and docket numbers. It
knows shapes, not meaning, and is no substitute for the bureau's own review; committed fields, which stand under a
salt, may hold anything.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from .errors import LooksPersonal

_ID_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ID_CHECKS: Final = "10X98765432"
_IDENTITY: Final = re.compile(
    r"(?<![0-9])[1-9][0-9]{5}(?:18|19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])[0-9]{3}[0-9Xx](?![0-9])"
)
_MOBILE: Final = re.compile(r"(?<![0-9])(?:\+?86[- ]?)?1[3-9][0-9](?:[- ]?[0-9]{4}){2}(?![0-9])")
_CARD: Final = re.compile(r"(?<![0-9])[3-6][0-9]{15,18}(?![0-9])")
_PLATE: Final = re.compile(
    r"[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼使领][A-HJ-NP-Z][·• ]?"
    r"(?:[A-HJ-NP-Z0-9]{4,5}[A-HJ-NP-Z0-9挂学警港澳领使])(?![A-Z0-9])"
)
_KINDS: Final[dict[str, tuple[str, str]]] = {
    "identity": ("身份证号", "an identity number"),
    "mobile": ("手机号", "a mobile number"),
    "card": ("银行卡号", "a bank card number"),
    "plate": ("车牌号", "a number plate"),
}


def kind_of(text: str) -> str | None:
    """``identity``, ``mobile``, ``card`` or ``plate`` where the text holds something of that shape (checksums
    included).
    """
    if any(_identity_checks(match.group()) for match in _IDENTITY.finditer(text)):
        return "identity"
    if any(_luhn_checks(match.group()) for match in _CARD.finditer(text)):
        return "card"
    if _PLATE.search(text.upper()):
        return "plate"
    if _MOBILE.search(text):
        return "mobile"
    return None


def _identity_checks(number: str) -> bool:
    """GB 11643: the last character follows from the seventeen before it."""
    total = sum(int(digit) * weight for digit, weight in zip(number, _ID_WEIGHTS, strict=False))
    return _ID_CHECKS[total % 11] == number[17].upper()


def _luhn_checks(number: str) -> bool:
    """ISO/IEC 7812-1."""
    total = 0
    for position, digit in enumerate(reversed(number)):
        value = int(digit) * (1 + position % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def check_clear(clear: Mapping[str, str | int], number: str | None = None) -> None:
    """Raise :class:`LooksPersonal`, naming the field, where a clear value or the docket number looks like personal
    data.
    """
    fields: dict[str, str | int] = dict(clear)
    if number is not None:
        fields["number"] = number
    for field, value in fields.items():
        kind = kind_of(str(value))
        if kind == "mobile" and isinstance(value, int):
            continue  # an amount in fen has as many digits
        if kind is not None:
            zh, en = _KINDS[kind]
            raise LooksPersonal("looks-personal", field=field, kind_zh=zh, kind_en=en)
