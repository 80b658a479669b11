"""``fazhi-node votes``: what only a person may decide about the votes of a stopped node (docs/adr/0008)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from .addresses import NOTES_NAME
from .cli_texts import cli_text
from .exits import Misuse
from .members import vote_owner
from .notebook import DirectoryNotebook
from .prepare import prepare
from .recovery import KEY_ELSEWHERE_NOTE, UNKNOWN_VOTE_NOTE
from .service_stops import stop_of
from .storage.errors import StorageError
from .storage.vote_log import DiskVoteLog
from .texts import Language


def change_votes(
    home: Path, passphrase: Callable[[], bytes], language: Language | None, *, sign_from: int | None
) -> str:
    """With ``sign_from``: end the amnesia of the vote log on the operator's word. Else: begin it anew, amnesiac,
    whatever is there or is not, and forget that the key was seen in use elsewhere. The answer is a sentence about what
    was done.

    Raises:
        Misuse: ``votes-not-amnesiac``.
        Stop: the node runs, the disk fails, key and guard do not belong together.
    """
    prepared = prepare(home, None, passphrase, language)
    owner = vote_owner(prepared.genesis.suite, prepared.signer.public_key)
    directory, guard = prepared.votes_directory, prepared.guard
    notes = prepared.config.path(home, "data") / NOTES_NAME
    try:
        if sign_from is None:
            DiskVoteLog.renew(directory, guard, owner)
            notebook = DirectoryNotebook(notes)
            for note in (UNKNOWN_VOTE_NOTE, KEY_ELSEWHERE_NOTE):
                notebook.forget(note)
            return cli_text("votes_renewed", prepared.config.lang, path=guard)
        log = DiskVoteLog(directory, guard, owner)
        try:
            if not log.amnesiac:
                raise Misuse("votes-not-amnesiac", path=str(directory), floor=log.floor)
            log.end_amnesia(sign_from)
            return cli_text("votes_vouched", prepared.config.lang, height=log.floor)
        finally:
            log.close()
    except StorageError as error:
        raise stop_of(error) from None
