"""``fazhi-node join``: a store out of a state snapshot, from a file or from a member's gateway.

The store grows under a name of its own and gets the right one when everything holds and is durable, so that there is
never a part of it: a run that was cut short leaves a directory that the next one removes. Votes are no part of a
snapshot, and what they say is settled at the start (:func:`~fazhi_node.recovery.settle_votes`).
"""

from __future__ import annotations

import contextlib
import errno
import http.client
import os
import shutil
import ssl
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from io import BufferedReader
from pathlib import Path

from fazhi_ledger.genesis import GenesisFile

from .addresses import JOINING_NAME, REPLACED_NAME, STORE_NAME, TOKEN_VARIABLE, GatewayUrl, is_loopback
from .cli_texts import cli_text
from .config import Config, load
from .exits import Exit, Misuse, Stop
from .local import READ_BYTES, TIMEOUT_S, refusal_of
from .offline import Told
from .prepare import load_genesis
from .private_files import is_token, read_tokens
from .service_stops import stop_of
from .storage.chain_store import ChainStore, Tip
from .storage.errors import StorageError, StoreForeign, from_os_error
from .storage.files import Files, Lock, RealFiles
from .storage.snapshot import InvalidSnapshot
from .storage.snapshot_load import Progress, load_snapshot
from .storage.store import LOCK_FILE, open_store
from .texts import Language
from .transport.identity import pem_of


def join(home: Path, source: str, token_file: Path | None, explicit: Language | None) -> int:
    """Make the store of ``home`` out of the snapshot in ``source`` (a path, or the URL of a gateway), and say so.

    Raises:
        Misuse: ``chain-present``, what is wrong with the snapshot, configuration or genesis file.
        Stop: ``UNREACHABLE``, ``BUSY`` where the node runs, ``STORAGE`` for the disk.
    """
    config = load(home)
    language: Language = explicit or config.lang
    genesis_file, _, _ = load_genesis(config.path(home, "genesis"))
    told = Told("join", language)
    begun = time.monotonic()
    directory = config.path(home, "data") / STORE_NAME
    with _pieces(source, token_file, genesis_file) as pieces:
        try:
            tip = make_store(config, directory, genesis_file, pieces, told)
        except StorageError as error:
            raise stop_of(error) from None
        except InvalidSnapshot as error:
            raise Misuse(error.code, **dict(error.parameters)) from None
    print(
        cli_text(
            "join_done",
            language,
            path=directory,
            height=tip.height,
            hash=tip.block_hash.hex(),
            time=datetime.fromtimestamp(tip.time_ms // 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ"),
            entries=told.done["entries"],
            seconds=round(time.monotonic() - begun, 1),
        )
    )
    return Exit.OK


def make_store(
    config: Config,
    directory: Path,
    genesis_file: GenesisFile,
    pieces: Iterator[bytes],
    told: Progress,
    files: Files | None = None,
) -> Tip:
    """The store ``directory``, whole and durable, out of a snapshot; nothing is left where it fails.

    Raises:
        Misuse: ``chain-present``.
        InvalidSnapshot, StorageError.
    """
    used: Files = RealFiles() if files is None else files
    directory = directory.resolve()  # where it is a link to another disk, the store grows, and stays, on that one
    staging = directory.with_name(JOINING_NAME)
    with _alone(staging, used), _empty(directory, config, genesis_file.hash(), used) as ours:
        try:
            store = open_store(staging, config.store, genesis_hash=genesis_file.hash(), files=used, joined=True)
            with closing(store):
                tip = load_snapshot(store, genesis_file, pieces, told)
            _put_in_place(used, staging, directory, ours)
        except BaseException:
            shutil.rmtree(staging, ignore_errors=True)
            raise
    return tip


@contextmanager
def _alone(staging: Path, files: Files) -> Iterator[None]:
    """Of several runs one works at ``staging``, from what an earlier one left there to the store's being in place."""
    path = staging.with_name(staging.name + ".lock")
    try:
        files.make_directory(path.parent)
    except OSError as error:
        raise from_os_error(error, "create", path.parent) from error
    lock: Lock = files.lock(path)
    try:
        try:
            if staging.exists():
                shutil.rmtree(staging)
        except OSError as error:
            raise from_os_error(error, "remove", staging) from error
        yield
    finally:
        with contextlib.suppress(OSError):  # the next run may take it as it is
            path.unlink()
        lock.release()


def _put_in_place(files: Files, staging: Path, directory: Path, ours: bool) -> None:
    """Give the store its name. A store without a block that has it already, and is ``ours`` alone, is moved away first,
    whole. A node that was started meanwhile has one that is not: no directory takes the name of one that holds
    something."""
    replaced = directory.with_name(REPLACED_NAME)
    try:
        for path, _, _ in os.walk(staging, topdown=False):
            files.sync_directory(Path(path))  # names of files that the back end made since its last write
        if ours:
            shutil.rmtree(replaced, ignore_errors=True)
            files.rename(directory, replaced)
        files.rename(staging, directory)
        files.sync_directory(directory.parent)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            raise Misuse("chain-present", path=str(directory), height=0) from None
        raise from_os_error(error, "rename", directory) from error
    shutil.rmtree(replaced, ignore_errors=True)


@contextmanager
def _empty(directory: Path, config: Config, genesis_hash: bytes, files: Files) -> Iterator[bool]:
    """There is no block in ``directory``. Yields whether it is there (a node that waits for its seat has a store): then
    it is locked, and nobody uses it meanwhile."""
    if not directory.exists():
        yield False
        return
    height = _height_of(directory, config, genesis_hash)
    if height:
        raise Misuse("chain-present", path=str(directory), height=height)
    lock: Lock = files.lock(directory / LOCK_FILE)
    try:
        yield True
    finally:
        lock.release()


def _height_of(directory: Path, config: Config, genesis_hash: bytes) -> int:
    with closing(open_store(directory, config.store, genesis_hash=genesis_hash)) as store:
        try:
            return ChainStore(store).tip.height
        except StoreForeign as error:
            if error.code != "store-empty":
                raise
            return 0


@contextmanager
def _pieces(source: str, token_file: Path | None, genesis_file: GenesisFile) -> Iterator[Iterator[bytes]]:
    if "://" in source:
        with _from_gateway(source, token_file, genesis_file) as answer:
            yield _read(answer, source)
        return
    try:
        file = Path(source).open("rb")  # noqa: SIM115 - what is said while it is read is another matter
    except FileNotFoundError:
        raise Misuse("no-snapshot-file", path=source) from None
    except OSError as error:
        raise _unreadable(source, error) from None
    with file:
        yield _read_file(file, source)


def _read_file(file: BufferedReader, source: str) -> Iterator[bytes]:
    try:
        while piece := file.read(READ_BYTES):
            yield piece
    except OSError as error:
        raise _unreadable(source, error) from None


def _unreadable(source: str, error: OSError) -> Misuse:
    return Misuse("unreadable-file", path=source, reason=error.strerror or "")


def _read(answer: http.client.HTTPResponse, source: str) -> Iterator[bytes]:
    while True:
        try:
            piece = answer.read1(READ_BYTES)
        except (OSError, http.client.HTTPException) as error:
            raise _unreachable(source, error) from None
        if not piece:
            return
        yield piece


def _unreachable(address: str, error: Exception) -> Stop:
    code = "snapshot-unreachable"
    if isinstance(error, ssl.SSLCertVerificationError):
        code = "snapshot-other-certificate"
    return Stop(Exit.UNREACHABLE, code, address=address, reason=(str(error) or type(error).__name__)[:200])


@contextmanager
def _from_gateway(
    source: str, token_file: Path | None, genesis_file: GenesisFile
) -> Iterator[http.client.HTTPResponse]:
    """The answer of a gateway, whose certificate must be one of the genesis: so that the token is not shown to anybody
    else. What it answers proves itself."""
    try:
        url = GatewayUrl.parse(source)
        if url.scheme == "http" and not is_loopback(url.host):
            raise ValueError("http to another machine")
    except ValueError:
        raise Misuse("bad-snapshot-address", value=source) from None
    connection: http.client.HTTPConnection
    if url.scheme == "http":
        connection = http.client.HTTPConnection(url.host, url.port, timeout=TIMEOUT_S)
    else:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False  # names of the outside; the certificates themselves are the roots
        for certificate in genesis_file.certificates:
            with contextlib.suppress(ssl.SSLError):  # whoever cannot be read is not asked
                context.load_verify_locations(cadata=pem_of(certificate).decode("ascii"))
        connection = http.client.HTTPSConnection(url.host, url.port, timeout=TIMEOUT_S, context=context)
    token = _token(token_file)
    with closing(connection):
        try:
            connection.request("GET", "/v1/snapshot", headers={"Authorization": f"Bearer {token}"} if token else {})
            answer = connection.getresponse()
            if answer.status != 200:
                raise Stop(Exit.UNREACHABLE, "snapshot-refused", address=str(url), reason=refusal_of(answer))
        except (OSError, http.client.HTTPException) as error:
            raise _unreachable(str(url), error) from None
        yield answer


def _token(path: Path | None) -> str | None:
    if path is None:
        given = os.fsencode(os.environ.get(TOKEN_VARIABLE, "")).strip()
        if given and not is_token(given):
            raise Misuse("bad-token-file", path=TOKEN_VARIABLE)
        return given.decode("ascii") or None
    tokens = read_tokens(path)
    if len(tokens) != 1:
        raise Misuse("bad-token-file", path=str(path))
    return tokens[0].decode("ascii")
