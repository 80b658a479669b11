"""The outbox: durable before anything leaves, each place of a lane once, one process at a time."""

from __future__ import annotations

import hashlib
import stat
from dataclasses import fields
from pathlib import Path

import pytest
from fazhi_ledger.canonical import encode
from fazhi_ledger.record import Opening
from fazhi_ledger.submission import Item
from fazhi_sdk import outbox
from fazhi_sdk import outbox_rows as rows
from fazhi_sdk.aio.delivery import _words
from fazhi_sdk.aio.gateways import Answer
from fazhi_sdk.drafts import DraftData
from fazhi_sdk.errors import DraftError, OutboxDisk, OutboxError, OutboxInUse
from fazhi_sdk.outbox import Outbox
from fazhi_sdk.outbox_rows import Entry, Shut, Verdict

from .parts import GENESIS_HASH, draft, new_item, signer


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.db"


def open_box(path: Path) -> Outbox:
    return Outbox(path, GENESIS_HASH)


def file_one(box: Outbox, one: DraftData | None = None) -> Entry:
    (entry,) = box.file([new_item(draft() if one is None else one)])
    return entry


def place(entry: Entry) -> tuple[bytes, int]:
    return entry.lane, entry.seq


def test_private_and_for_one_process_and_chain(path: Path) -> None:
    with open_box(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        with pytest.raises(OutboxInUse):
            open_box(path)
    with pytest.raises(OutboxError) as caught:
        Outbox(path, bytes(32))
    assert caught.value.code == "outbox-other-chain"
    with open_box(path):
        pass


def test_damage_is_named(path: Path, tmp_path: Path) -> None:
    path.write_bytes(b"this is no database " * 100)
    with pytest.raises(OutboxError) as caught:
        open_box(path)
    assert caught.value.code == "outbox-damaged"
    with pytest.raises(OutboxDisk):
        open_box(tmp_path / "no-such-folder" / "outbox.db")


@pytest.mark.parametrize(
    "said",
    [
        '"code": "odd", "parameters": {"No name": 1}',
        '"code": "odd", "parameters": {"a": 100000000000000000000000}',
        '"code": "odd", "parameters": {"a": "\\ud800", "b": 1.5, "c": [1], "d": null, "e": true}',
        '"code": "\\ud800"',
        '"code": ["x"], "parameters": [1]',
    ],
)
def test_a_gateways_odd_words_do_not_make_the_outbox_unreadable(path: Path, said: str) -> None:
    """Found by fuzzing: what it called a parameter was kept as it was, and nothing that stood in the outbox could be
    read again; or keeping it ended the delivery.
    """
    with open_box(path) as box:
        entry = file_one(box)
        assert entry.id is not None
        answer = f'{{"results": [{{"id": "{entry.id.hex()}", "status": "invalid", {said}}}]}}'
        (word,) = _words(Answer("https://gateway", 200, answer.encode(), None), [entry.id])
        box.settle([Verdict(entry.id, rows.INVALID, word.code, word.parameters)])
        kept = box.entry(entry.id)
        assert kept is not None
        assert kept.status == rows.INVALID
        assert box.entries(rows.INVALID) == (kept,)


def test_a_row_that_cannot_be_read_is_damage() -> None:
    row = dict.fromkeys((one.name for one in fields(Entry)), 0)
    for parameters in (b"", b"\xc1", encode((("No name", 1),))):
        with pytest.raises(OutboxError, match="outbox-damaged"):
            rows.entry_of({**row, "parameters": parameters})


def test_seqs_follow_and_survive(path: Path) -> None:
    with open_box(path) as box:
        first = [file_one(box, draft(number=f"n{n}")) for n in range(3)]
        other = file_one(box, draft(signer(2)))
    assert [entry.seq for entry in first] == [0, 1, 2]
    assert len({entry.lane for entry in first}) == 1
    assert other.lane != first[0].lane
    with open_box(path) as box:
        assert file_one(box).seq == 3
        assert [entry.item for entry in box.due()][:3] == [entry.item for entry in first]


def test_filing_the_same_draft_again_changes_nothing(path: Path) -> None:
    one = draft()
    with open_box(path) as box:
        entry = file_one(box, one)
        assert file_one(box, one) == entry
        box.settle([Verdict(entry.id or b"", rows.COMMITTED, "OK", (), 5, 0)])
        assert file_one(box, one).status == rows.COMMITTED
        assert file_one(box, draft(number="next")).seq == 1


def test_a_failing_signature_uses_no_seq(path: Path) -> None:
    def broken(lane: bytes, seq: int) -> tuple[bytes, Item]:
        raise RuntimeError("the token was pulled out")

    one = new_item(draft())
    with open_box(path) as box:
        with pytest.raises(RuntimeError):
            box.file([new_item(draft()), rows.NewItem(bytes(16), one.org, one.key, "cases", "record", (), broken)])
        assert box.due() == ()
        assert file_one(box).seq == 0


def test_openings_come_back(path: Path) -> None:
    one = draft()
    with open_box(path) as box:
        file_one(box, one)
    with open_box(path) as box:
        (kept,) = box.kept(one.draft_id)
    assert kept.openings == one.records[0].openings
    assert (kept.org, kept.procedure, kept.number) == ("zfj", "penalty", "桐综执罚2026-0412")


def test_a_power_cut_loses_the_newest_notes_and_nothing_before(path: Path, tmp_path: Path) -> None:
    """Notes are not synced; but the log is written in order, so whatever has reached the disk is a state that was."""
    log = Path(f"{path}-wal")
    states: list[tuple[int, list[tuple[int, str]]]] = []

    def now(box: Outbox) -> list[tuple[int, str]]:
        return [(entry.seq, entry.status) for entry in box.entries(rows.SIGNED, rows.SENT, rows.COMMITTED)]

    with open_box(path) as box:
        for number in range(3):
            entry = file_one(box, draft(number=f"n{number}"))
            states.append((log.stat().st_size, now(box)))
            box.mark_sent([entry.id or b""])
            states.append((log.stat().st_size, now(box)))
            assert box.settle([Verdict(entry.id or b"", rows.COMMITTED, "OK", (), number + 1, 0)]) is False
            states.append((log.stat().st_size, now(box)))
        base, written = path.read_bytes(), log.read_bytes()
    assert [size for size, _ in states] == sorted({size for size, _ in states})
    for cut in range(states[0][0], len(written) + 1, 1500):
        copy = tmp_path / f"cut-{cut}.db"
        copy.write_bytes(base)
        Path(f"{copy}-wal").write_bytes(written[:cut])
        with open_box(copy) as box:
            assert now(box) == [state for size, state in states if size <= cut][-1]


def test_what_leaves_is_synced_and_notes_are_not(path: Path) -> None:
    said: list[str] = []
    with open_box(path) as box:
        box._connection.set_trace_callback(said.append)
        levels = [str(box._connection.execute("PRAGMA synchronous").fetchone()[0])]
        entry = file_one(box)
        assert not [line for line in said if "synchronous =" in line]
        box.mark_sent([entry.id or b""])
        assert [line for line in said if "synchronous =" in line] == [
            "PRAGMA synchronous = NORMAL", "PRAGMA synchronous = FULL"
        ]  # fmt: skip
        with pytest.raises(AttributeError):
            box.settle([None])  # type: ignore[list-item]
        levels.append(str(box._connection.execute("PRAGMA synchronous").fetchone()[0]))
    assert levels == ["2", "2"]


def test_decided_rows_do_not_change(path: Path) -> None:
    with open_box(path) as box:
        entry = file_one(box)
        assert entry.id is not None
        box.mark_sent([entry.id])
        box.settle([Verdict(entry.id, rows.REFUSED, "impossible-step", (("step", "SERVED"),), 9, 1)])
        box.settle([Verdict(entry.id, rows.COMMITTED, "OK", (), 10, 0)])
        box.mark_sent([entry.id])
        kept = box.entry(entry.id)
    assert kept is not None
    assert (kept.status, kept.code, kept.parameters) == (rows.REFUSED, "impossible-step", (("step", "SERVED"),))


def test_an_invalid_place_at_the_end_is_used_again(path: Path) -> None:
    with open_box(path) as box:
        entries = [file_one(box, draft(number=f"n{n}")) for n in range(3)]
        for entry in (entries[1], entries[2]):
            box.settle([Verdict(entry.id or b"", rows.INVALID, "unknown-key")])
        assert box.gaps("zfj", signer().public_key) == ()
        assert place(file_one(box, draft(number="again"))) == place(entries[1])


def test_a_gap_holds_back_what_follows_until_it_is_voided(path: Path) -> None:
    key = signer().public_key
    with open_box(path) as box:
        entries = [file_one(box, draft(number=f"n{n}")) for n in range(3)]
        box.settle([Verdict(entries[0].id or b"", rows.EXPIRED)])
        assert box.gaps("zfj", key) == (place(entries[0]),)
        assert box.due() == ()
        filler = draft(number="void")
        new = new_item(filler)
        filling = rows.NewItem(new.draft_id, new.org, new.key, "lane", "void", (), new.build, place=place(entries[0]))
        box.file([filling])
        assert box.gaps("zfj", key) == ()
        assert [entry.seq for entry in box.due()] == [1, 2, 0]


def test_conflict_retires_the_lane(path: Path) -> None:
    """The lane's seqs were used by another copy of this outbox: the draft is signed again in a lane of its own."""
    one = draft()
    with open_box(path) as box:
        entry = file_one(box, one)
        box.settle([Verdict(entry.id or b"", rows.CONFLICT)])
        again = file_one(box, one)
        assert again.lane != entry.lane
        assert again.seq == 0
        assert [due.id for due in box.due()] == [again.id]


def test_pool_lanes_are_held_freed_and_bounded(path: Path) -> None:
    with open_box(path) as box:
        waiting = [draft(number=f"n{n}") for n in range(rows.MAX_POOL_LANES)]
        places = [place(box.prepare(new_item(one))) for one in waiting]
        assert len({lane for lane, _ in places}) == rows.MAX_POOL_LANES
        with pytest.raises(DraftError) as caught:
            box.prepare(new_item(draft()))
        assert caught.value.code == "too-many-drafts"
        assert box.due() == ()
        entry = file_one(box, waiting[3].at(*places[3]))
        assert place(entry) == places[3]
        box.settle([Verdict(entry.id or b"", rows.COMMITTED, "OK", (), 2, 0)])
        lane, seq = place(box.prepare(new_item(draft(number="new"))))
        assert (lane, seq) == (places[3][0], 1)
        box.abandon(waiting[5].draft_id, shared=False)
        assert place(box.prepare(new_item(draft(number="newer")))) == places[5]


@pytest.mark.parametrize("scanned", [1, 2, 3, 1000])
def test_a_case_is_served_in_the_order_of_filing(path: Path, monkeypatch: pytest.MonkeyPatch, scanned: int) -> None:
    """Lanes have no order among them: what another lane says of a case waits for the earlier entry's decision."""
    monkeypatch.setattr(outbox, "SCAN_STEP", scanned)
    first, second = signer(1), signer(2)
    with open_box(path) as box:
        opening = file_one(box, draft(first, "n1"))
        step = file_one(box, draft(second, "n1"))
        later = file_one(box, draft(second, "n2"))
        other = file_one(box, draft(signer(3), "n3"))
        last = file_one(box, draft(first, "n1"))
        assert [entry.id for entry in box.due()] == [opening.id, other.id]
        box.settle([Verdict(opening.id or b"", rows.COMMITTED, "OK", (), 2, 0)])
        assert [entry.id for entry in box.due()] == [step.id, later.id, other.id]
        box.settle([Verdict(step.id or b"", rows.COMMITTED, "OK", (), 3, 0)])
        assert [entry.id for entry in box.due()] == [later.id, other.id, last.id]


def test_what_was_destroyed_is_nowhere_in_the_file(path: Path) -> None:
    one = draft()
    salt, kept = one.records[0].openings[0].salt, one.kept()[0]
    left = tuple(opening.field for opening in kept.openings)

    def commit(opening: Opening) -> bytes:
        return hashlib.sha256(opening.encode()).digest()

    with open_box(path) as box:
        file_one(box, one)
        assert box.kept(one.draft_id) == (kept,)
        assert box.destroy(one.draft_id, 0, left[:1], commit) == left[:1]
        shut = box.kept(one.draft_id)[0]
        assert shut.openings == kept.openings[1:]
        assert shut.in_place() == (Shut(left[0], commit(kept.openings[0])), *kept.openings[1:])
        assert box.destroy(one.draft_id, 0, left[:1], commit) == ()
        assert box.destroy(one.draft_id, 0, None, commit) == left[1:]
        assert box.kept(one.draft_id)[0].openings == ()
        assert box.destroy(one.draft_id, 1, None, commit) == (), "there is no such record"
    content = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert salt not in content
    assert encode("环城路")[1:] not in content


def test_orgs_are_remembered(path: Path) -> None:
    with open_box(path) as box:
        assert box.org_of(b"key") is None
        box.remember_org(b"key", "zfj")
    with open_box(path) as box:
        assert box.org_of(b"key") == "zfj"


def test_durable_when_it_returns(path: Path) -> None:
    """A commit is on disk (synchronous=FULL) and nobody else writes the file (exclusive locking)."""
    with open_box(path) as box:
        found = [box._read(f"PRAGMA {name}")[0][0] for name in ("synchronous", "journal_mode", "locking_mode")]
    assert found == [2, "wal", "exclusive"]


def test_a_long_backlog_is_looked_through_quickly(path: Path) -> None:
    with open_box(path) as box:
        box.file([new_item(draft(number=f"n{n % 50}")) for n in range(2000)])
        thousands: list[int] = []  # of SQLite's instructions: a count, so that no clock decides
        box._connection.set_progress_handler(lambda: thousands.append(1), 1000)
        due = box.due(500)
    assert len(thousands) < 300
    assert [entry.seq for entry in due] == list(range(500))


def test_what_was_delivered_long_ago_costs_nothing(path: Path) -> None:
    with open_box(path) as box:
        entries = box.file([new_item(draft(number=f"n{n}")) for n in range(2000)])
        box.settle([Verdict(entry.id or b"", rows.COMMITTED, "OK", (), 1, 0) for entry in entries])
        thousands: list[int] = []
        box._connection.set_progress_handler(lambda: thousands.append(1), 1000)
        assert box.due() == ()
        assert box.gaps("zfj", signer().public_key) == ()
    assert len(thousands) < 3


def test_many_filed_at_once_are_what_they_are_one_by_one(path: Path, tmp_path: Path) -> None:
    """Of several keys, again and again the same draft, a prepared one, one at the place of one that expired."""
    keys = [signer(1), signer(2)]
    drafts = [draft(keys[n % 2], f"n{n}") for n in range(8)]
    prepared, expired = drafts[6], drafts[7]
    many = [*drafts[:4], drafts[1], *drafts[4:], drafts[0]]
    found = []
    for name, at_once in (("one.db", False), ("many.db", True)):
        with open_box(tmp_path / name) as box:
            box.prepare(new_item(prepared))
            (lost,) = box.file([new_item(expired)])
            box.settle([Verdict(lost.id or b"", rows.EXPIRED, "expired")])
            items = [new_item(one) for one in many]
            entries = box.file(items) if at_once else tuple(entry for one in items for entry in box.file([one]))
            kept = [entry for entry in entries if box.entry(entry.id or b"") == entry]
            assert len(kept) == len(entries)
            found.append([(one.number, one.draft_id, one.seq, one.status) for one in entries])
            assert [box.kept(one.draft_id) == one.kept() for one in drafts] == [True] * 8
            places = box.filed_as([one.draft_id for one in [*drafts, draft(keys[0], "x")]])
            assert {member: entry.draft_id for member, (entry, _) in places.items()} == {
                one.draft_id: one.draft_id for one in drafts
            }
            lanes = [(entry.lane, entry.seq) for entry in box.due()]
            assert len(set(lanes)) == len(lanes)
    assert found[0] == found[1]


def test_rule_sets_are_remembered(path: Path) -> None:
    with open_box(path) as box:
        assert box.rule_sets("lostfound") == ()
        box.keep_rule_sets("lostfound", [b"one", b"two"])
        box.keep_rule_sets("lostfound", [b"two", b"three"])
    with open_box(path) as box:
        assert box.rule_sets("lostfound") == (b"two", b"three")
        assert box.rule_sets("lost") == ()
