"""``fazhi-node votes``: what only a person may decide about the votes of a stopped node (docs/adr/0008)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from .addresses import NOTES_NAME
from .cli_texts import cli_text
from .exits import Misuse
from .members import vote_owner
from .notebook import DirectoryNotebook
from .prepare import prepare
from .recovery import KEY_ELSEWHERE_NOTE, UNKNOWN_VOTE_NOTE
from .service_stops import stop_of
from .storage.errors import StorageError, StoreLocked
from .storage.vote_log import DiskVoteLog
from .texts import Language


def change_votes(
    home: Path, passphrase: Callable[[], bytes], language: Language | None, *, sign_from: int | None
) -> str:
    """With ``sign_from``: end the amnesia of each key's vote log on the operator's word. Else: begin anew, amnesiac,
    those that cannot be opened or are amnesiac (the first one where all are sound), and forget that the key was seen in
    use elsewhere. The answer is a sentence about what was done.

    Raises:
        Misuse: ``votes-not-amnesiac``.
        Stop: the node runs, the disk fails, key and guard do not belong together.
    """
    prepared = prepare(home, None, passphrase, language)
    suite, language = prepared.genesis.suite, prepared.config.lang
    places = [(vote_owner(suite, signer.public_key), path, guard) for signer, path, guard in prepared.vote_places()]
    try:
        if sign_from is None:
            # Of a key that waits for its vote, or was voted in a moment ago, the log may be as sound as it was made.
            renewed = [place for place in places if not _is_sound(*place[1:])] or places[:1]
            for owner, directory, guard in renewed:
                DiskVoteLog.renew(directory, guard, owner)
            notebook = DirectoryNotebook(prepared.config.path(home, "data") / NOTES_NAME)
            for note in (UNKNOWN_VOTE_NOTE, KEY_ELSEWHERE_NOTE):
                notebook.forget(note)
            return "\n".join(cli_text("votes_renewed", language, path=guard) for _, _, guard in renewed)
        said = []
        for owner, directory, guard in places:
            with closing(DiskVoteLog(directory, guard, owner)) as log:
                if log.amnesiac:
                    log.end_amnesia(sign_from)
                    said.append(cli_text("votes_vouched", language, height=log.floor))
        if not said:
            raise Misuse("votes-not-amnesiac", path=str(places[0][1]), floor=log.floor)
        return "\n".join(said)
    except StorageError as error:
        raise stop_of(error) from None


def _is_sound(directory: Path, guard: Path) -> bool:
    try:
        return not DiskVoteLog.inspect(directory, guard).amnesiac
    except StoreLocked:
        raise
    except StorageError:
        return False
