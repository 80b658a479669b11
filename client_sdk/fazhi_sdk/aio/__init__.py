"""The SDK for asyncio: the same names as :mod:`fazhi_sdk`, to be awaited."""

from __future__ import annotations

from ..cases import CaseView, Event, Trail
from ..keys import FileSigner, officer_card
from ..receipts import Receipt
from .case import Case, Draft
from .chain import Chain, Submitted
from .pending import Flushed, Pending

__all__ = [
    "Case",
    "CaseView",
    "Chain",
    "Draft",
    "Event",
    "FileSigner",
    "Flushed",
    "Pending",
    "Receipt",
    "Submitted",
    "Trail",
    "officer_card",
]
