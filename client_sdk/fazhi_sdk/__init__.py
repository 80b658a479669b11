"""法治联盟链: client, outbox, sealing and receipts for programs.

::

    from fazhi_sdk import Chain, FileSigner

    chain = Chain.connect(["https://node-a:8443", "https://node-b:8443"], genesis_hash="7c1e…", outbox="outbox.db")
    officer = FileSigner.load("officer-0412.key", passphrase=ask)

    case = chain.open_case("penalty", number="桐综执罚2026-0412", signer=officer)
    draft = case.draft("INVEST", files=["现场照片.jpg"], occurred_at=now, fields={"place": "…"}, progress=bar)
    receipt = draft.cosign(second_officer).submit()   # durable before it leaves, verified before it comes back
    receipt.save("现场照片.receipt.json")

:mod:`fazhi_sdk.aio` has the same names to be awaited, :mod:`fazhi_sdk.errors` what may be raised,
:mod:`fazhi_sdk.testing` a small real network for your own tests. Names are imported when first used: this module alone
costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .cases import CaseView, Event, Trail
    from .errors import SdkError
    from .keys import FileSigner, officer_card
    from .normalise import docket_number
    from .receipts import Receipt
    from .sealing import seal
    from .sync import Case, Chain, Draft, Pending, Submitted

__all__ = [
    "Case",
    "CaseView",
    "Chain",
    "Draft",
    "Event",
    "FileSigner",
    "Pending",
    "Receipt",
    "SdkError",
    "Submitted",
    "Trail",
    "docket_number",
    "officer_card",
    "seal",
]

_HOMES = {
    "Case": "sync",
    "CaseView": "cases",
    "Chain": "sync",
    "Draft": "sync",
    "Event": "cases",
    "FileSigner": "keys",
    "Pending": "sync",
    "Receipt": "receipts",
    "SdkError": "errors",
    "Submitted": "sync",
    "Trail": "cases",
    "docket_number": "normalise",
    "officer_card": "keys",
    "seal": "sealing",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{home}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
