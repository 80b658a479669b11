"""``fazhi-node check``: is what lies on the disk of a stopped node what it must be, and if not, what to do."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .addresses import NOTES_NAME, STORE_NAME, VOTES_NAME
from .cli_texts import cli_text
from .config import Config, load
from .exits import Exit, Stop
from .offline import Told, open_stopped
from .prepare import load_genesis
from .recovery import KEY_ELSEWHERE_NOTE
from .service_stops import stop_of
from .storage.chain_check import ChainCheck, Problem
from .storage.errors import StorageError, StoreCorrupt, StoreForeign, StoreLocked, from_os_error
from .storage.files import RealFiles
from .storage.store import LOCK_FILE
from .storage.vote_log import DiskVoteLog
from .texts import Language, printable, sentence_of


@dataclass
class Found:
    """What the check has to say, in the end as JSON or as lines."""

    genesis_hash: str
    height: int = 0
    base: int = 0
    tip_hash: str = ""
    chain: str = "good"
    entries: dict[str, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    more: int = 0
    votes: str = "good"
    signs_from: int = 0
    votes_kept: int = 0
    set_aside: str = ""
    seconds: float = 0.0

    @property
    def exit_code(self) -> Exit:
        """``STORAGE`` for a damaged chain; ``FOREIGN_DATA`` where only vote log, guard and key do not go together."""
        if self.chain == "damaged":
            return Exit.STORAGE
        return Exit.OK if self.votes in ("good", "amnesiac") else Exit.FOREIGN_DATA


def check_data(home: Path, explicit: Language | None, *, set_aside: bool, as_json: bool) -> int:
    """Check the data of ``home``, print what was found, and with ``set_aside`` move a damaged chain away.

    Raises:
        Misuse: configuration or genesis file.
        Stop: ``BUSY`` where the node runs, ``FOREIGN_DATA`` for another chain's data, ``STORAGE`` for a disk that does
        not let the check read.
    """
    config = load(home)
    language: Language = explicit or config.lang
    _, _, genesis_hash = load_genesis(config.path(home, "genesis"))
    directory = config.path(home, "data") / STORE_NAME
    found = Found(genesis_hash.hex())
    said: list[str] = []
    begun = time.monotonic()
    try:
        _check_votes(config, home, found, said, language)
        _check_chain(config, directory, genesis_hash, found, language)
        if set_aside and found.chain == "damaged":
            found.set_aside = str(_move_away(directory))
    except StorageError as error:
        raise stop_of(error) from None
    found.seconds = round(time.monotonic() - begun, 1)
    if as_json:
        print(json.dumps(_as_json(found), ensure_ascii=False))
    else:
        for line in (*_chain_lines(found, directory, language), *said):
            print(printable(line))
    return found.exit_code


def _check_votes(config: Config, home: Path, found: Found, said: list[str], language: Language) -> None:
    data = config.path(home, "data")
    try:
        votes = DiskVoteLog.inspect(data / VOTES_NAME, config.path(home, "guard"))
    except StoreLocked:
        raise
    except StorageError as error:
        found.votes = error.code
        said.append(cli_text("check_votes_bad", language, reason=sentence_of(error, language)))
        return
    found.signs_from, found.votes_kept = votes.floor, votes.votes
    if (data / NOTES_NAME / KEY_ELSEWHERE_NOTE).exists():
        found.votes = "key-used-elsewhere"
        said.append(cli_text("check_silenced", language))
    elif votes.amnesiac:
        found.votes = "amnesiac"
        said.append(cli_text("check_amnesiac", language))
    else:
        said.append(cli_text("check_votes", language, floor=votes.floor, votes=votes.votes))


def _check_chain(config: Config, directory: Path, genesis_hash: bytes, found: Found, language: Language) -> None:
    try:
        chain = open_stopped(directory, config.store)
    except StoreForeign as error:
        if error.code in ("store-missing", "store-empty"):
            found.chain = "none"
            return
        raise
    except StoreCorrupt as error:
        found.problems = [Problem("chain", str(error))]
        found.chain = "damaged"
        return
    try:
        if chain.genesis_hash != genesis_hash:
            names = {"recorded": chain.genesis_hash.hex(), "expected": genesis_hash.hex()}
            raise Stop(Exit.FOREIGN_DATA, "store-other-genesis", **names)
        found.height, found.base, found.tip_hash = chain.tip.height, chain.base, chain.tip.block_hash.hex()
        check = ChainCheck(chain, Told("check", language))
        try:
            check.run()
        except StoreCorrupt as error:  # the back end cannot read on
            check.problems.append(Problem("chain", str(error)))
        found.problems, found.more, found.entries = check.problems, check.more, dict(check.counts)
        found.chain = "damaged" if check.problems else "good"
    finally:
        chain.close()


def _move_away(directory: Path) -> Path:
    """Under the store's lock once more: a node that was started since it was checked keeps what it works on."""
    files = RealFiles()
    lock = files.lock(directory / LOCK_FILE)
    try:
        number = 1
        while (target := directory.with_name(f"{directory.name}.damaged-{number}")).exists():
            number += 1
        files.rename(directory, target)
        files.sync_directory(directory.parent)
    except OSError as error:
        raise from_os_error(error, "rename", directory) from error
    finally:
        lock.release()
    return target


def _as_json(found: Found) -> dict[str, Any]:
    return {"ok": found.exit_code == Exit.OK, **asdict(found)}


def _chain_lines(found: Found, directory: Path, language: Language) -> list[str]:
    if found.chain == "none":
        return [cli_text("check_none", language, path=directory)]
    seconds, height = found.seconds, found.height
    if found.chain == "good":
        entries = sum(found.entries.values())
        facts = {"path": directory, "height": height, "entries": entries, "seconds": seconds}
        if found.base:
            return [cli_text("check_good_base", language, first=found.base + 1, **facts)]
        return [cli_text("check_good", language, **facts)]
    advice = cli_text("check_advice", language)
    if found.set_aside:
        advice = cli_text("check_moved", language, path=found.set_aside)
    count = len(found.problems) + found.more
    lines = [
        cli_text("check_bad", language, path=directory, count=count, height=height, seconds=seconds, advice=advice)
    ]
    for one in found.problems:
        key = "check_problem" if one.height else "check_problem_0"
        lines.append(cli_text(key, language, kind=one.kind, detail=one.detail, height=one.height))
    if found.more:
        lines.append(cli_text("check_more", language, count=found.more))
    return lines
