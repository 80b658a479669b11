"""What looks like personal data, and what does not: from both sides."""

from __future__ import annotations

from datetime import date

import pytest
from fazhi_contracts.personal import KINDS, LEAST_NUMBER, personal_kind
from hypothesis import given
from hypothesis import strategies as st

PROVINCES = ("11", "15", "21", "33", "37", "46", "50", "54", "65", "71", "82")
DATES = st.dates(date(1900, 1, 1), date(2099, 12, 31))


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("11010519491231002X", "identity"),
        ("11010519491231002x", "identity"),
        ("桐罚11010519491231002x号", "identity"),
        ("110105194912310021", None),  # wrong check character
        ("010105194912310021", None),  # no such province
        ("110105491231002", "identity"),
        ("110105491331002", None),  # the thirteenth month
        ("x110105491231002", None),  # without a checksum it must be the whole value
        (110105491231002, "identity"),
        ("13812345678", "mobile"),
        ("+86 138 1234 5678", "mobile"),
        ("8613812345678", "mobile"),
        ("138-1234-5678", "mobile"),
        (13812345678, "mobile"),
        ("013812345678", "mobile"),
        ("110105-19491231-002x", "identity"),
        ("110105 1949 1231 002X", "identity"),
        ("110105-19491231-0021", None),  # wrong check character
        ("4111-1111-1111-1111", "card"),
        ("6222_0212_3456_7890_128", "card"),
        ("4111-1111-1111-1112", None),
        ("4111-11-111111-1111", None),  # in other groups it may be anything
        ("135-2026-041", None),
        ("12812345678", None),
        ("138123456789", None),
        ("1381234567", None),
        ("4111111111111111", "card"),
        (4111111111111111, "card"),
        ("4111111111111112", None),
        ("6222021234567890128", "card"),
        ("浙F·12345", "plate"),
        ("浙FD12345", "plate"),
        ("zhe-f12345", "plate"),
        ("zhef_d12345", "plate"),
        ("zhe-fine", None),
        ("min-amount", None),
        ("fine-paid", None),
        ("zhang.san@example.com", "email"),
        ("2026-0412", None),
        ("桐综执罚2026-0412", None),
        ("桐市监罚处〔2026〕123号", None),
        (True, None),
        (-13812345678, "mobile"),
    ],
)
def test_what_looks_personal(value: str | int, kind: str | None) -> None:
    assert personal_kind(value) == kind
    assert kind is None or kind in KINDS


def luhn(digits: str) -> str:
    """The digits and the one that makes the sum end in nought, by trying each."""
    for last in "0123456789":
        total = sum(
            sum(divmod(int(digit) * (2 if place % 2 else 1), 10)) for place, digit in enumerate(reversed(digits + last))
        )
        if total % 10 == 0:
            return digits + last
    raise AssertionError(digits)


def identity(digits: str) -> str:
    """The seventeen digits and their check character: ISO 7064 MOD 11-2, of which GB 11643 is one."""
    rest = 0
    for digit in digits:
        rest = (rest + int(digit)) * 2 % 11
    return digits + "0123456789X"[(12 - rest) % 11]


@given(st.sampled_from(PROVINCES), st.integers(0, 9999), DATES, st.integers(0, 999), st.booleans())
def test_every_identity_number_is_seen_and_none_with_another_check(
    province: str, county: int, born: object, serial: int, framed: bool
) -> None:
    number = identity(f"{province}{county:04}{born:%Y%m%d}{serial:03}")
    assert personal_kind(f"桐罚〔{number}〕号" if framed else number) == "identity"
    if number.isdigit():
        assert personal_kind(int(number)) == "identity"
        wrong = number[:-1] + str((int(number[-1]) + 1) % 10)
        assert personal_kind(wrong) != "identity"
    assert personal_kind("1" + number) != "identity", "within a longer number nothing is one"


@given(
    st.one_of(
        st.tuples(st.sampled_from(["4", "51", "55", "35"]), st.just(16)),
        st.tuples(st.sampled_from(["62", "6013"]), st.integers(16, 19)),
        st.tuples(st.just("95588"), st.just(19)),
    ),
    st.integers(0, 10**19),
)
def test_every_card_is_seen_and_none_with_another_check(kind: tuple[str, int], drawn: int) -> None:
    prefix, length = kind
    number = luhn((prefix + f"{drawn:020}"[::-1])[: length - 1])
    assert personal_kind(number) in ("card", "identity")
    assert personal_kind(int(number)) == personal_kind(number)
    wrong = number[:-1] + str((int(number[-1]) + 1) % 10)
    assert personal_kind(wrong) != "card"


@given(st.integers(13 * 10**9, 2 * 10**10 - 1), st.sampled_from(["", "86", "+86", "+86-", "0086 "]))
def test_every_mobile_number_is_seen(number: int, before: str) -> None:
    assert personal_kind(number) == "mobile"
    assert personal_kind(f"{before}{number}") == "mobile"


LETTERS = st.sampled_from("ABCDEFGHJKLMNPQRSTUVWXYZ")


@given(st.sampled_from(["浙", "京", "桂"]), LETTERS, st.from_regex(r"[0-9]{5}|[DF][0-9]{5}|[0-9]{4}挂", fullmatch=True))
def test_every_plate_is_seen(province: str, office: str, serial: str) -> None:
    assert personal_kind(f"{province}{office}{serial}") == "plate"


@given(st.integers(-LEAST_NUMBER + 1, LEAST_NUMBER - 1))
def test_no_amount_is_mistaken(amount: int) -> None:
    assert personal_kind(amount) is None


@given(DATES, st.integers(0, 86_399))
def test_no_date_or_time_is_mistaken(day: object, second: int) -> None:
    hours = f"{second // 3600:02}{second // 60 % 60:02}{second % 60:02}"
    for value in (f"{day:%Y%m%d}", f"{day:%Y-%m-%d}", f"{day:%Y%m%d}{hours}", f"{day:%Y-%m-%d}t{hours}"):
        assert personal_kind(value) is None
        if value.isdigit():
            assert personal_kind(int(value)) is None


@given(st.from_regex(r"[a-z]{1,12}(?:[_-][a-z]{1,12}){0,3}(?:[_-][0-9]{1,4})?", fullmatch=True))
def test_no_code_is_mistaken(code: str) -> None:
    assert personal_kind(code) is None


@given(st.sampled_from(["桐综执罚", "桐市监罚处"]), st.integers(2020, 2099), st.integers(0, 99_999))
def test_no_docket_number_is_mistaken(office: str, year: int, serial: int) -> None:
    for number in (f"{office}{year}-{serial:04}", f"{office}〔{year}〕{serial}号", f"{office}字第{year}{serial:05}号"):
        assert personal_kind(number) is None


@given(st.text(max_size=300) | st.integers())
def test_it_answers_for_anything(value: str | int) -> None:
    assert personal_kind(value) in (None, *KINDS)
