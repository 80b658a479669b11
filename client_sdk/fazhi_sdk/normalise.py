"""What people type, made into one form before it is hashed (the chain compares bytes; Unicode differs between devices
and input methods).

**Docket numbers** (rule ``docket/1``; the case's key is a hash over the result, so the rule can never change, only be
joined by another):

1. full-width ASCII (U+FF01–FF5E) becomes ASCII, the ideographic space a space; all else goes through NFC;
2. white space of every kind is dropped: a number has none that means anything;
3. every dash and minus (‐ ‑ ‒ – — ― − ﹣ －) becomes ``-``; every bracket of a year (〔〕 [] () （） 【】 ﹝﹞ 〖〗)
   becomes ``〔`` ``〕``;
4. ASCII letters become upper case;
5. refused: nothing left, more than 64 characters, control and formatting characters (zero-width and bidirectional
   ones too), private-use, unassigned and surrogate code points.

So ``桐综执罚（２０２６）０４１２号`` and ``桐综执罚〔2026〕0412号`` name one case.
"""

from __future__ import annotations

import unicodedata
from datetime import datetime
from typing import Final

from fazhi_ledger.limits import MAX_TIME_MS

from .errors import InputError

MAX_NUMBER_CHARS: Final = 64
MAX_FIELD_CHARS: Final = 4096
_DASHES: Final = "‐‑‒–—―−﹣－"
_OPENING: Final = "〔[(（【﹝〖［"
_CLOSING: Final = "〕])）】﹞〗］"
_TABLE: Final[dict[int, str]] = {
    **{code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)},
    0x3000: " ",
    **{ord(dash): "-" for dash in _DASHES},
    **{ord(bracket): "〔" for bracket in _OPENING},
    **{ord(bracket): "〕" for bracket in _CLOSING},
}
_REFUSED: Final = {
    "Cc": "control character",
    "Cf": "invisible character",
    "Co": "private-use character",
    "Cn": "unassigned character",
}


def docket_number(typed: str) -> str:
    """The one form of a docket number; applying it twice changes nothing.

    Raises:
        InputError: ``bad-number``.
    """
    if not isinstance(typed, str):
        raise InputError("bad-number", number=repr(typed)[:64], reason="no text")
    if len(typed) > 4 * MAX_NUMBER_CHARS:
        raise InputError("bad-number", number=typed[:16] + "…", reason=f"more than {MAX_NUMBER_CHARS} characters")
    _refuse_strange(typed, typed)
    # NFC first and last: it may bring forth characters of the table, and nothing after the table may leave NFC.
    number = unicodedata.normalize("NFC", typed).translate(_TABLE)
    number = unicodedata.normalize("NFC", _upper_ascii("".join(number.split())))
    if not number:
        raise InputError("bad-number", number=typed, reason="empty")
    if len(number) > MAX_NUMBER_CHARS:
        raise InputError("bad-number", number=number[:16] + "…", reason=f"more than {MAX_NUMBER_CHARS} characters")
    return number


def _upper_ascii(text: str) -> str:
    """Upper case for a–z only: case mappings of other scripts differ between Unicode versions."""
    return "".join(chr(ord(c) - 32) if "a" <= c <= "z" else c for c in text)


def _refuse_strange(text: str, shown: str) -> None:
    for character in text:
        if character in "\t\n\r\v\f":
            continue
        try:
            character.encode()
        except UnicodeEncodeError:
            raise InputError("bad-number", number=ascii(shown)[:64], reason="surrogate") from None
        reason = _REFUSED.get(unicodedata.category(character))
        if reason is not None:
            raise InputError("bad-number", number=ascii(shown)[:64], reason=f"{reason} U+{ord(character):04X}")


def text_value(field: str, typed: str) -> str:
    """A committed text: NFC, nothing else touched (it must be given back as it was written).

    Raises:
        InputError: ``bad-field`` for lone surrogates or more than 4,096 characters.
    """
    try:
        typed.encode()
    except UnicodeEncodeError:
        raise InputError("bad-field", field=field, reason="surrogate") from None
    if len(typed) > MAX_FIELD_CHARS:
        raise InputError("bad-field", field=field, reason=f"more than {MAX_FIELD_CHARS} characters")
    return unicodedata.normalize("NFC", typed)


def time_ms(moment: datetime | int) -> int:
    """Unix milliseconds of a datetime that knows its zone, or of an integer of milliseconds.

    Raises:
        InputError: ``bad-time``: a naive datetime (whose zone would be guessed), a float, or one out of range.
    """
    if isinstance(moment, datetime):
        if moment.tzinfo is None or moment.utcoffset() is None:
            raise InputError("bad-time", reason="it has no time zone")
        whole = int(moment.replace(microsecond=0).timestamp())  # whole seconds are exact in a float
        value = whole * 1000 + moment.microsecond // 1000
    elif type(moment) is int:
        value = moment
    else:
        raise InputError("bad-time", reason=f"{type(moment).__name__}")
    if not 0 <= value <= MAX_TIME_MS:
        raise InputError("bad-time", reason="out of range")
    if type(moment) is int and 0 < value < 100_000_000_000:  # before March 1973 in milliseconds; 5138 AD in seconds
        raise InputError("bad-time", reason="seconds where milliseconds are meant")
    return value
