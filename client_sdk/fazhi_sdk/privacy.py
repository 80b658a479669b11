"""Refuses personal data in the clear before it leaves (domain §6: 个人信息保护法; the chain never forgets).

It looks at what would stand on the chain for ever or can be guessed from it: clear fields and docket numbers. It
knows shapes, not meaning (:mod:`fazhi_contracts.personal`), and is no substitute for the bureau's own review; committed
fields, which stand under a salt, may hold anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from fazhi_contracts.personal import CARD, EMAIL, IDENTITY, MOBILE, PLATE, personal_kind

from .errors import LooksPersonal

_KINDS: Final[dict[str, tuple[str, str]]] = {
    IDENTITY: ("身份证号", "an identity number"),
    MOBILE: ("手机号", "a mobile number"),
    CARD: ("银行卡号", "a bank card number"),
    PLATE: ("车牌号", "a number plate"),
    EMAIL: ("电子邮箱", "an email address"),
}


def check_clear(clear: Mapping[str, str | int], number: str | None = None) -> None:
    """Raise :class:`LooksPersonal`, naming the field, where a clear value or the docket number looks like personal
    data.
    """
    fields: dict[str, str | int] = dict(clear)
    if number is not None:
        fields["number"] = number
    for field, value in fields.items():
        kind = personal_kind(value)
        if kind is not None:
            zh, en = _KINDS[kind]
            raise LooksPersonal("looks-personal", field=field, kind_zh=zh, kind_en=en)
