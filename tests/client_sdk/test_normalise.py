"""Docket numbers, texts and times in one form; personal data in the clear refused."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime, timedelta, timezone

import pytest
from fazhi_sdk.errors import InputError, LooksPersonal
from fazhi_sdk.normalise import docket_number, text_value, time_ms
from fazhi_sdk.privacy import check_clear
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("typed", "number"),
    [
        ("桐综执罚2026-0412", "桐综执罚2026-0412"),
        ("桐综执罚２０２６－０４１２", "桐综执罚2026-0412"),
        (" 桐综执罚　2026 – 0412\n", "桐综执罚2026-0412"),
        ("桐综执罚（2026）0412号", "桐综执罚〔2026〕0412号"),
        ("桐综执罚[2026]0412号", "桐综执罚〔2026〕0412号"),
        ("桐综执罚〔2026〕0412号", "桐综执罚〔2026〕0412号"),
        ("tx-a１２", "TX-A12"),
        ("ﬁ", "ﬁ"),  # NFC, not NFKC
        ("豈", "豈"),  # a compatibility ideograph has one canonical form
        ("\u00e9-1", "é-1"),  # upper case for a–z only: other case mappings differ between Unicode versions
    ],
)
def test_docket_number(typed: str, number: str) -> None:
    assert docket_number(typed) == unicodedata.normalize("NFC", number)


@pytest.mark.parametrize(
    "typed", ["", "  ", "\u200b", "a\u202eb", "a\0b", "\ud800", "a\ufeffb", "\ue000", "9" * 65, "9" * 1000, 12]
)
def test_numbers_that_cannot_be(typed: object) -> None:
    with pytest.raises(InputError) as caught:
        docket_number(typed)  # type: ignore[arg-type]
    assert caught.value.code == "bad-number"
    str(caught.value).encode()


@given(st.text(max_size=80))
def test_normalising_twice_changes_nothing(typed: str) -> None:
    try:
        once = docket_number(typed)
    except InputError:
        return
    assert docket_number(once) == once
    assert unicodedata.is_normalized("NFC", once)


def test_text_is_nfc_and_otherwise_untouched() -> None:
    assert text_value("place", "e\u0301 １ ") == "é １ "
    with pytest.raises(InputError):
        text_value("place", "\ud800")
    with pytest.raises(InputError):
        text_value("place", "x" * 5000)


def test_times() -> None:
    beijing = timezone(timedelta(hours=8))
    assert time_ms(datetime(2026, 3, 2, 9, 14, 7, 123_999, tzinfo=beijing)) == 1_772_414_047_123
    assert time_ms(datetime(2026, 3, 2, 1, 14, 7, tzinfo=UTC)) == 1_772_414_047_000
    assert time_ms(1_772_414_047_000) == 1_772_414_047_000


@pytest.mark.parametrize("moment", [datetime(2026, 3, 2), 1_772_414_047, 1.5, True, -1, 10**18, "2026-03-02"])  # noqa: DTZ001
def test_times_that_would_be_guessed(moment: object) -> None:
    with pytest.raises(InputError) as caught:
        time_ms(moment)  # type: ignore[arg-type]
    assert caught.value.code == "bad-time"


def test_refusal_names_the_field() -> None:
    with pytest.raises(LooksPersonal) as caught:
        check_clear({"mode": "post", "party": "11010519491231002X"})
    assert "party" in str(caught.value)
    assert "11010519491231002X" not in str(caught.value), "an error message travels: it must not repeat the number"
    with pytest.raises(LooksPersonal, match="number"):
        check_clear({}, number="13812345678")
    with pytest.raises(LooksPersonal, match="phone"):
        check_clear({"phone": 13812345678})
    check_clear({"amount_fen": 1381234567, "mode": "post"}, number="桐综执罚2026-0412")
