"""A process is killed (SIGKILL) at every step of a submission; the next one delivers exactly once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from fazhi_sdk.devnet import Devnet
from fazhi_sdk.testing import connect

from .test_chain import filed, receipt_of

CHILD = """
import os, signal, sys, threading
from fazhi_sdk.aio.delivery import Delivery
from fazhi_sdk.aio.chain import Chain
from fazhi_sdk.devnet import Devnet
from fazhi_sdk.drafts import DraftData
from fazhi_sdk.outbox import Outbox
from fazhi_sdk.testing import connect

folder, outbox, number, photo, owner, name, when = sys.argv[1:]
owner = {"DraftData": DraftData, "Outbox": Outbox, "Delivery": Delivery, "Chain": Chain}[owner]
original = getattr(owner, name)

def die():
    os.kill(os.getpid(), signal.SIGKILL)

if when == "never":
    def patched(*arguments, **named):
        threading.Event().wait()
elif name in ("_post", "_results", "submit_many"):
    async def patched(*arguments, **named):
        if when == "before":
            die()
        result = await original(*arguments, **named)
        die()
else:
    def patched(*arguments, **named):
        if when == "before":
            die()
        result = original(*arguments, **named)
        die()

with connect(Devnet.open(folder), outbox) as chain:
    case = chain.case("penalty", number, chain.officer())
    draft = case.draft("INVEST", [photo])
    setattr(owner, name, patched)
    draft.submit()
    if when == "never":
        die()
print("survived")
"""

STEPS = [
    # (class, method, before or after it, whether the submission must be on the chain in the end)
    ("DraftData", "complete", "after", False),  # signed, not kept: the transaction is lost, and nothing left
    ("Outbox", "file", "after", True),  # kept, nothing sent
    ("Outbox", "mark_sent", "after", True),  # about to be sent
    ("Delivery", "_post", "after", True),  # sent and answered, the answer lost
    ("Delivery", "_checked", "after", True),  # proven, not noted
    ("Outbox", "settle", "before", True),  # about to be noted
    ("Outbox", "settle", "never", True),  # the receipt was handed over, that it was is not noted
    ("Outbox", "settle", "after", True),  # noted
    ("Chain", "_results", "before", True),  # no receipt made
    ("Chain", "submit_many", "after", True),  # the receipt is made, the caller has not got it
]


@pytest.mark.parametrize(("owner", "name", "when", "delivered"), STEPS, ids=[f"{s[1]}-{s[2]}" for s in STEPS])
def test_killed_at(net: Devnet, number: str, photo: Path, owner: str, name: str, when: str, delivered: bool) -> None:
    outbox = f"crash-{name}-{number[-4:]}.db"
    with connect(net, outbox) as chain:
        filed(chain, number)
    arguments = [str(net.folder), outbox, number, str(photo), owner, name, when]
    child = subprocess.run(
        [sys.executable, "-c", CHILD, *arguments], capture_output=True, timeout=60, env=os.environ, check=False
    )
    assert child.returncode == -signal.SIGKILL, child.stderr.decode()
    with connect(net, outbox) as chain:
        chain.flush()
        assert chain.pending() == []
        case = chain.case("penalty", number, chain.officer())
        assert case.show().count == (3 if delivered else 2)
        if delivered:
            event = case.trail().events[2]
            chain.receipt(event.submission_id).check_file(photo)  # the salts have survived with it
        # Nothing is in the way of what comes next.
        assert receipt_of(case.record("INVEST", [photo])).number_in_case == (4 if delivered else 3)
