"""The application under consensus: builds proposals, validates those of others, executes and stores what was decided.

A block is executed once: what was worked out for a proposal of our own, or to validate another's, is kept until the
decision. An unexpected exception is never a result: on a proposal we withhold our vote and set the item that caused it
apart, on a decided block we stop (:class:`~fazhi_node.notices.OwnFault`), since going on would mean another state than
everybody else's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fazhi_contracts.admission import lane_position, parameters_of, select_items
from fazhi_contracts.chain import ChainState, ExecutedBlock, build_block, check_block, context_of
from fazhi_contracts.execution import check_item, execute_block
from fazhi_contracts.queries import member_entry, members
from fazhi_contracts.state import Overlay
from fazhi_ledger.block import Block
from fazhi_ledger.certificate import CommitCertificate
from fazhi_ledger.errors import FazhiError, InvalidBlock, InvalidSubmission, Parameter
from fazhi_ledger.parameters import Parameters
from fazhi_ledger.submission import Item

from .limits import CANDIDATES, QUARANTINE_ITEMS, REBUILD_ATTEMPTS
from .mempool import Entry, LaneKey, Mempool, lane_key
from .notices import Alarm, MembersChanged, OwnFault
from .payload import PayloadCache
from .progress import FORMER, JOINING, LEAVING, NO_SEAT, SEATED
from .storage.chain_store import ChainStore
from .storage.errors import StorageError
from .timekeeping import check_fresh, heartbeat_due_ms, proposal_time_ms

Dropped = Callable[[Entry, str, tuple[Parameter, ...]], None]
"""Called with an item that can stand in no block any more, and why."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A block that we built, as bytes and executed."""

    payload: bytes
    executed: ExecutedBlock


class Application:
    """The chain's state at the tip and what may follow it. All methods are synchronous and raise named errors."""

    def __init__(
        self,
        me: str,
        store: ChainStore,
        mempool: Mempool,
        notify: Callable[[Alarm | MembersChanged], None],
        dropped: Dropped,
    ) -> None:
        self._me = me
        self._store = store
        self._mempool = mempool
        self._notify = notify
        self._dropped = dropped
        self._candidates: dict[bytes, ExecutedBlock] = {}
        self._quarantine: dict[bytes, None] = {}
        self.base: ChainState = store.state()
        self.payloads = PayloadCache(self.base.suite, self._waiting_item)
        self._refresh()

    def _refresh(self) -> None:
        self.validators, self.following = self.base.validators()
        self.members = members(self.base.view)
        self.parameters: Parameters = parameters_of(self.base.view)
        self._entries = Overlay(self.base.view)
        self._context = context_of(self.base, self.base.time_ms)
        self._positions: dict[LaneKey, int] = {}

    @property
    def seat(self) -> str:
        """Whether this node's member has a seat (see :mod:`fazhi_node.progress`)."""
        now, then = (one.index_of_member(self._me) is not None for one in (self.validators, self.following))
        if now or then:
            return SEATED if now and then else LEAVING if now else JOINING
        return NO_SEAT if member_entry(self.base.view, self._me) is None else FORMER

    def _waiting_item(self, data: bytes) -> Item | None:
        entry = self._mempool.find_data(data)
        return None if entry is None else entry.item

    def unverified(self, block: Block) -> list[Item]:
        """The items of a block whose signatures this node has not verified: those that are not, as they stand there,
        in its mempool."""
        return [item for item in block.items if not self._is_waiting(item)]

    def _is_waiting(self, item: Item) -> bool:
        entry = self._mempool.find_at(lane_key(item), item.body.seq)
        return entry is not None and (entry.item is item or entry.item == item)

    # What admission asks

    def check_item(self, item: Item) -> None:
        """Raise ``InvalidSubmission`` unless the item could stand in the next block (its lane and signatures aside).

        Whatever unexpected an item brings about is held against it (``unexpected``), and an alarm.
        """
        try:
            check_item(self._entries, item, self._context)
        except (InvalidSubmission, StorageError):
            raise
        except Exception as error:
            detail: tuple[Parameter, ...] = (("error", type(error).__name__), ("detail", str(error)[:200]))
            self._notify(Alarm("check-failed", detail))
            raise InvalidSubmission("unexpected", error=type(error).__name__) from error

    def lane_position(self, lane: LaneKey, item: Item) -> int:
        """Next seq of ``lane``, which is the item's."""
        found = self._positions.get(lane)
        if found is None:
            found = lane_position(self._entries, item)
            if found:  # of lanes that nobody has used, strangers name any number
                self._positions[lane] = found
        return found

    def is_quarantined(self, submission_id: bytes) -> bool:
        """Whether executing that item failed in an unexpected way."""
        return submission_id in self._quarantine

    # Proposing

    def heartbeat_wait_ms(self, clock_ms: int) -> int:
        """How long until an empty block may be proposed; 0 or less when it is due."""
        return heartbeat_due_ms(self.base.time_ms, self.parameters) - clock_ms

    def build(self, clock_ms: int, *, allow_empty: bool) -> Proposal | None:
        """A block of what waits, or None where nothing does and an empty one is not wanted."""
        time_ms = proposal_time_ms(clock_ms, self.base.time_ms)
        entries = self._choose(time_ms)
        for _ in range(REBUILD_ATTEMPTS):
            if not entries and not allow_empty:
                return None
            try:
                return self._proposal(build_block(self.base, self._me, time_ms, [entry.item for entry in entries]))
            except InvalidBlock:
                entries = self._sound(entries, time_ms)
            except StorageError:
                raise
            except Exception as error:  # noqa: BLE001 - whatever a contract raises must not stop us from proposing
                self._quarantine_culprit([entry.item for entry in entries], time_ms, error)
                left = [entry for entry in entries if not self.is_quarantined(entry.submission_id)]
                entries = left if len(left) < len(entries) else []  # nobody to blame: propose without any
        return None

    def _choose(self, time_ms: int) -> list[Entry]:
        def timely(entry: Entry) -> bool:
            until = entry.item.body.valid_until_ms
            return until is None or time_ms <= until

        parameters = self.parameters
        return self._mempool.take(parameters.get("max_block_items"), parameters.get("max_block_bytes"), timely)

    def _sound(self, entries: Sequence[Entry], time_ms: int) -> list[Entry]:
        """Those that can stand together. Of the others, what the state no longer allows is dropped; what only another
        item of this block keeps out waits."""
        try:
            selected = select_items(self.base.view, [entry.item for entry in entries], context_of(self.base, time_ms))
        except StorageError:
            raise
        except Exception as error:  # noqa: BLE001 - the recheck below finds whose fault it is
            self._notify(Alarm("selection-failed", (("error", type(error).__name__), ("detail", str(error)[:200]))))
            selected = ()
        chosen = {id(item) for item in selected}
        for entry in entries:
            if id(entry.item) not in chosen:
                self._recheck(entry)
        return [entry for entry in entries if id(entry.item) in chosen]

    def _recheck(self, entry: Entry) -> None:
        try:
            self.check_item(entry.item)
        except InvalidSubmission as error:
            self._drop(entry, error.code, error.parameters)

    def _drop(self, entry: Entry, code: str, parameters: tuple[Parameter, ...]) -> None:
        if self._mempool.remove(entry.submission_id) is not None:
            self._dropped(entry, code, parameters)

    def recheck_mempool(self) -> None:
        """Drop every waiting item that the state at the tip no longer allows (a key was revoked, a limit changed)."""
        for entry in list(self._mempool.entries()):
            self._recheck(entry)

    def _proposal(self, executed: ExecutedBlock) -> Proposal:
        payload = executed.block.encode()
        self.payloads.keep(payload, executed.block, executed.block_hash)
        self._keep(executed)
        return Proposal(payload, executed)

    # Validating

    def check_header(self, block: Block, *, fresh: bool, round_: int, proposer: int, clock_ms: int) -> None:
        """What can be said of a proposal before its signatures are verified and its items executed.

        Raises:
            InvalidBlock: ``wrong-header-field``, ``quarantined-item``, or what :func:`~.timekeeping.check_fresh` says.
        """
        header, base = block.header, self.base
        expected = (
            ("genesis_hash", header.genesis_hash == base.genesis_hash),
            ("height", header.height == base.height + 1),
            ("parent_hash", header.parent_hash == base.header_hash),
            ("proposer", not fresh or header.proposer == self.validators.validators[proposer].member),
        )
        for field, right in expected:
            if not right:
                raise InvalidBlock("wrong-header-field", height=header.height, field=field)
        if fresh:
            check_fresh(header, base.time_ms, clock_ms, round_, self.parameters)
        if self._quarantine:
            for index, item in enumerate(block.items):
                if self.is_quarantined(item.id(base.suite)):
                    raise InvalidBlock("quarantined-item", index=index)

    def validate(self, block: Block, block_hash: bytes) -> None:
        """Execute a proposal whose signatures hold, and compare every field of its header.

        Raises:
            InvalidBlock: it must not be voted for; ``unexpected`` where the execution failed in an unexpected way.
        """
        if block_hash in self._candidates:
            return
        try:
            executed = check_block(self.base, block)
        except (InvalidBlock, StorageError):
            raise
        except Exception as error:
            self._quarantine_culprit(list(block.items), block.header.time_ms, error)
            raise InvalidBlock("unexpected", error=type(error).__name__) from error
        self._keep(executed)

    def _keep(self, executed: ExecutedBlock) -> None:
        self._candidates[executed.block_hash] = executed
        while len(self._candidates) > CANDIDATES:
            del self._candidates[next(iter(self._candidates))]

    def _quarantine_culprit(self, items: list[Item], time_ms: int, cause: Exception) -> None:
        """Find the item whose execution raises: the last of the shortest prefix that does."""

        def raises(count: int) -> bool:
            try:
                execute_block(self.base.view, items[:count], context_of(self.base, time_ms))
            except (FazhiError, StorageError):
                return False
            except Exception:  # noqa: BLE001 - this is what is looked for
                return True
            return False

        low, high = 0, len(items)
        found = high > 0 and raises(high) and not raises(0)
        while found and high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if raises(middle) else (middle, high)
        detail: tuple[Parameter, ...] = (("error", type(cause).__name__), ("detail", str(cause)[:200]))
        if not found:
            self._notify(Alarm("execution-failed", detail))
            return
        culprit = items[high - 1].id(self.base.suite)
        self._quarantine[culprit] = None
        while len(self._quarantine) > QUARANTINE_ITEMS:
            del self._quarantine[next(iter(self._quarantine))]
        entry = self._mempool.find(culprit)
        if entry is not None:
            self._drop(entry, "quarantined", ())
        self._notify(Alarm("item-quarantined", (("submission_id", culprit.hex()), *detail)))

    # Committing

    def commit(self, payload: bytes, block: Block, block_hash: bytes, certificate: CommitCertificate) -> ExecutedBlock:
        """Execute a decided block (unless that was done for its vote), make it durable, and move the tip.

        ``payload`` is what ``block`` was decoded from.

        Raises:
            OwnFault: a certified block that we cannot execute, or execute otherwise than its header says.
            StorageError: the disk; nothing was promised.
        """
        executed = self._candidates.get(block_hash)
        if executed is None:
            try:
                executed = check_block(self.base, block)
            except StorageError:
                raise
            except Exception as error:
                raise OwnFault("decided-block-not-executable", f"height {block.header.height}: {error!r}") from error
        self._store.commit(executed, certificate, payload)
        self._candidates.clear()
        self.base = self._store.state()
        members = self.members
        self._refresh()
        if self.members != members:
            self._notify(MembersChanged(self.members))
        return executed
