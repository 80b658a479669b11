"""``fazhi-node join``: a whole store or none, whatever the file holds and wherever it is cut short."""

from __future__ import annotations

import shutil
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from fazhi_node.config import load
from fazhi_node.exits import Exit, Misuse
from fazhi_node.join import make_store
from fazhi_node.main import main
from fazhi_node.storage.chain_store import ChainStore, open_chain
from fazhi_node.storage.errors import DiskFailed, DiskFull, StorageError, StoreLocked
from fazhi_node.storage.files import RealFiles
from fazhi_node.storage.leveldb import LevelStore
from fazhi_node.storage.port import Batch, KeyValue
from fazhi_node.storage.sqlite import SqliteStore
from fazhi_node.storage.store import open_store
from fazhi_sdk.devnet import free_ports

from tests.node.storage.backends import DISK_BACKENDS
from tests.node.storage.snapshots import grown, snapshot_of
from tests.node.storage.test_snapshot import problems

WORLD = grown()
DATA = snapshot_of(WORLD.store)
TIP = WORLD.store.tip


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The home of a newcomer to the world's chain."""
    (tmp_path / "genesis").write_bytes(WORLD.genesis_file.encode())
    (tmp_path / "file").write_bytes(DATA)
    path = tmp_path / "home"
    arguments = ["init", "--org", "gast", "--name", "客", "--home", str(path), "--no-passphrase", "--open-reads"]
    assert main([*arguments, "--genesis", str(tmp_path / "genesis"), "--url", "http://127.0.0.1:1"]) == 0
    return path


@pytest.fixture
def say(home: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Runs a command on the home; exit code and all that it said."""

    def run(*arguments: str, lang: str = "en") -> tuple[int, str]:
        capsys.readouterr()
        code = main([*arguments, "--home", str(home), "--lang", lang])
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


def left(home: Path) -> list[str]:
    return sorted(path.name for path in (home / "data").iterdir() if path.name.startswith("store"))


def opened(home: Path) -> ChainStore:
    return ChainStore(open_store(home / "data" / "store"))


def test_a_file_becomes_the_store(home: Path, say: Callable[..., tuple[int, str]]) -> None:
    code, said = say("join", str(home.parent / "file"))
    assert (code, left(home)) == (0, ["store"])
    assert TIP.block_hash.hex() in said
    assert f"height {TIP.height}" in said
    with closing(opened(home)) as chain:
        assert (chain.tip, chain.base, problems(chain)) == (TIP, TIP.height, [])
    text = (home / "data" / "store" / "FORMAT").read_text()
    assert text.startswith("fazhi store 3\n"), "earlier releases refuse it by this line"
    code, said = say("check", "--json")
    assert (code, '"base": ' + str(TIP.height) in said) == (0, True)
    code, said = say("check")
    assert (code, f"blocks from {TIP.height + 1} on" in said) == (0, True)
    before = sorted((path, path.stat().st_mtime_ns) for path in (home / "data" / "store").rglob("*.ldb"))
    code, said = say("join", str(home.parent / "file"))
    assert (code, "never overwritten" in said, left(home)) == (Exit.USAGE, True, ["store"])
    assert before == sorted((path, path.stat().st_mtime_ns) for path in (home / "data" / "store").rglob("*.ldb"))
    code, said = say("export", "-o", str(home.parent / "archive"))
    assert (code, f"from block {TIP.height + 1} on" in said, "Export at a member" in said) == (Exit.USAGE, True, True)
    assert not list(home.parent.glob("archive*"))


def test_a_store_without_a_block_gives_way(home: Path, say: Callable[..., tuple[int, str]]) -> None:
    """A node that ran while it waited for the vote has made one. While it runs, nothing is touched."""
    store = open_store(home / "data" / "store", genesis_hash=WORLD.genesis_file.hash())
    open_chain(store, WORLD.genesis_file)
    code, said = say("join", str(home.parent / "file"))
    assert (code, "in use by another process" in said, left(home)) == (Exit.BUSY, True, ["store"])
    store.close()
    assert say("join", str(home.parent / "file"))[0] == 0
    assert left(home) == ["store"]
    with closing(opened(home)) as chain:
        assert chain.tip == TIP


def test_a_node_that_is_started_meanwhile_keeps_its_store(home: Path) -> None:
    config, directory = load(home), home / "data" / "store"
    opened: list[ChainStore] = []

    def told(*_: object) -> None:
        if not opened:
            store = open_store(directory, genesis_hash=WORLD.genesis_file.hash())
            opened.append(open_chain(store, WORLD.genesis_file))

    with pytest.raises(Misuse, match="chain-present"):
        make_store(config, directory, WORLD.genesis_file, iter([DATA]), told)
    assert left(home) == ["store"]
    (chain,) = opened
    assert chain.tip.height == 0
    chain.close()
    with closing(ChainStore(open_store(directory))) as again:
        assert again.tip.height == 0


@pytest.mark.parametrize("waiting", [False, True])
def test_a_store_that_is_a_link_stays_one(home: Path, say: Callable[..., tuple[int, str]], waiting: bool) -> None:
    """The operator put it on a larger disk."""
    link, target = home / "data" / "store", home.parent / "disk" / "chain"
    target.parent.mkdir()
    if waiting:
        with closing(open_store(target, genesis_hash=WORLD.genesis_file.hash())) as store:
            open_chain(store, WORLD.genesis_file)
    link.symlink_to(target)
    code, said = say("join", str(home.parent / "file"))
    assert (code, left(home), link.is_symlink()) == (0, ["store"], True), said
    assert [path.name for path in target.parent.iterdir()] == ["chain"]
    with closing(opened(home)) as chain:
        assert chain.tip == TIP


class Meanwhile(RealFiles):
    """Does something each time before a directory is synced, or gets another name."""

    def __init__(self, act: Callable[[str, str], None]) -> None:
        self._act = act

    def sync_directory(self, path: Path) -> None:
        self._act("sync", path.name)
        super().sync_directory(path)

    def rename(self, old: Path, new: Path) -> None:
        self._act("rename", old.name)
        super().rename(old, new)


def test_a_node_that_is_started_at_the_last_moment_keeps_its_store(home: Path) -> None:
    """Behind the last look at its place, as the new store is to get its name."""
    directory, started = home / "data" / "store", list[KeyValue]()

    def start(*now: str) -> None:
        if now == ("rename", "store.joining"):
            started.append(open_store(directory, genesis_hash=WORLD.genesis_file.hash()))
            open_chain(started[0], WORLD.genesis_file)

    with pytest.raises(Misuse, match="chain-present"):
        make_store(load(home), directory, WORLD.genesis_file, iter([DATA]), lambda *_: None, Meanwhile(start))
    assert left(home) == ["store"]
    (store,) = started
    store.write([(b"mlater", b"kept")])
    store.close()
    with closing(open_store(directory)) as again:
        assert again.get(b"mlater") == b"kept"


def test_of_two_runs_the_second_is_refused_until_the_first_has_its_store_in_place(home: Path) -> None:
    """Also when the first has given up its store, and is about to name it: the second had then removed it, and the
    first given the name to what the second had begun."""
    where = load(home), home / "data" / "store", WORLD.genesis_file
    refused: list[tuple[object, ...]] = []

    def second(*now: object) -> None:
        with pytest.raises(StoreLocked):
            make_store(*where, iter([DATA]), lambda *_: None)
        refused.append(now)

    make_store(*where, iter([DATA]), second, Meanwhile(second))
    assert refused[0][0] == "sync", "from the beginning"
    assert refused[-3:] == [("sync", "store.joining"), ("rename", "store.joining"), ("sync", "data")]
    assert left(home) == ["store"]
    with closing(opened(home)) as chain:
        assert (chain.tip, problems(chain)) == (TIP, [])


def test_what_is_not_ours_is_left_alone(home: Path, say: Callable[..., tuple[int, str]]) -> None:
    store = home / "data" / "store"
    store.mkdir()
    (store / "diary").write_text("mine")
    code, said = say("join", str(home.parent / "file"))
    assert (code, "diary" in said) == (Exit.FOREIGN_DATA, True)
    assert (store / "diary").read_text() == "mine"


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda data: data[:-4], "ends early"),
        (lambda data: data[: len(data) // 2], "ends early"),
        (lambda data: data + b"x", "follows behind the end"),
        (lambda _: b'{"code": "unauthorized"}', "This is no snapshot"),
        (lambda _: b"", "This is no snapshot"),
        (lambda data: data[:-40] + bytes(36) + data[-4:], "state"),
        (lambda data: data[:300] + b"\xff" + data[301:], "certificate"),
    ],
)
def test_a_bad_file_leaves_nothing(
    home: Path, say: Callable[..., tuple[int, str]], change: Callable[[bytes], bytes], what: str
) -> None:
    (home.parent / "file").write_bytes(change(DATA))
    code, said = say("join", str(home.parent / "file"))
    assert (code, left(home)) == (Exit.USAGE, [])
    assert what in said or "cannot be read" in said, said
    (home.parent / "file").write_bytes(DATA)
    assert say("join", str(home.parent / "file"))[0] == 0


def test_another_chains_and_what_is_no_file(home: Path, say: Callable[..., tuple[int, str]]) -> None:
    for source in (str(home.parent / "nothing"), "127.0.0.1:20159"):
        code, said = say("join", source)
        assert (code, f"no file {source}" in said, "begins with https://" in said) == (Exit.USAGE, True, True), said
    code, said = say("join", str(home.parent))
    assert (code, f"{home.parent} cannot be read: Is a directory" in said) == (Exit.USAGE, True), said
    for source in ("http://192.0.2.1:7443", "https://127.0.0.1:7443/v1/snapshot", "ftp://host:1"):
        code, said = say("join", source)
        assert (code, f"{source} is no address of a gateway. Give https://host:port" in said) == (Exit.USAGE, True)
        code, said = say("join", source, lang="zh")
        assert (code, f"{source} 不是网关的地址。请写 https://主机:端口,不带路径" in said) == (Exit.USAGE, True), said
    (home / "genesis.fazhi").unlink()
    code, said = say("join", str(home.parent / "file"))
    assert (code, f"There is no genesis file {home / 'genesis.fazhi'}. Put the members'" in said) == (Exit.USAGE, True)
    assert left(home) == []


def test_a_source_that_fails_underway_speaks_for_itself(home: Path) -> None:
    """Behind none of the parts, and in the midst of each."""

    def pieces(whole: bytes) -> Iterator[bytes]:
        yield whole
        raise Misuse("unreadable-file", path="x", reason="the disk")

    for size in (0, 3, len(DATA) // 3, len(DATA) // 2, len(DATA) - 50, len(DATA) - 1):
        with pytest.raises(Misuse, match="unreadable-file"):
            make_store(load(home), home / "data" / "store", WORLD.genesis_file, pieces(DATA[:size]), lambda *_: None)
        assert left(home) == []


class Cut(BaseException):
    """The process ends here."""


class Counted(RealFiles):
    """Ends the process at one of its effects."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.steps: list[str] = []

    def step(self, what: str) -> None:
        if len(self.steps) == self.at:
            raise Cut(what)
        self.steps.append(what)

    def rename(self, old: Path, new: Path) -> None:
        self.step(f"before {old.name} becomes {new.name}")
        super().rename(old, new)
        self.step(f"behind {old.name} becomes {new.name}")

    def make_directory(self, path: Path) -> None:
        self.step(f"before {path.name} is made")
        super().make_directory(path)
        self.step(f"behind {path.name} is made")

    def sync_directory(self, path: Path) -> None:
        self.step(f"before {path.name} is synced")
        super().sync_directory(path)


@pytest.mark.parametrize("backend", DISK_BACKENDS)
@pytest.mark.parametrize("waiting", [False, True])
def test_a_process_that_ends_at_any_effect_leaves_no_store_or_a_whole_one(
    home: Path, monkeypatch: pytest.MonkeyPatch, backend: str, waiting: bool
) -> None:
    """Each write of the back end and each change of names, before and behind it. The next run begins anew, and comes to
    its end. ``waiting``: there was a store without a block."""
    monkeypatch.setattr("fazhi_node.storage.snapshot_load.WRITE_ENTRIES", 20)
    config = load(home, {"store": backend})
    directory, genesis_file = home / "data" / "store", WORLD.genesis_file
    kind: Any = LevelStore if backend == "plyvel" else SqliteStore
    write = kind.write
    monkeypatch.setattr("fazhi_node.join.shutil.rmtree", lambda *_, **__: None)  # who is gone cleans nothing up
    number, done = 0, False
    while not done:
        for path in (home / "data").glob("store*"):
            _remove(path)
        if waiting:
            with closing(open_store(directory, backend, genesis_hash=genesis_file.hash())) as store:  # type: ignore[arg-type]
                open_chain(store, genesis_file)
        files = Counted(number)

        def counted(self: Any, batch: Batch, sync: bool = True, files: Counted = files) -> None:
            files.step("before a write")
            write(self, batch, sync)
            files.step("behind a write")

        with monkeypatch.context() as patch:
            patch.setattr(kind, "write", counted)
            try:
                make_store(config, directory, genesis_file, iter([DATA]), lambda *_: None, files)
                done = True
            except Cut:
                number += 1
        if directory.exists():
            with closing(ChainStore(open_store(directory, backend))) as chain:  # type: ignore[arg-type]
                assert chain.tip.height in ((0, TIP.height) if waiting else (TIP.height,)), files.steps
                assert problems(chain) == []
    assert number > 12
    renamed = files.steps.index("behind store.joining becomes store")
    synced = [step.split()[1] for step in files.steps[:renamed] if step.endswith("is synced")]
    assert synced[-1] == "store.joining", "its names are durable before it has its own"
    assert files.steps[renamed + 1 :] == ["before data is synced"]


def _remove(path: Path) -> None:
    for each in sorted(path.rglob("*"), reverse=True):
        each.rmdir() if each.is_dir() else each.unlink()
    path.rmdir()


def test_what_a_run_that_was_cut_short_left_is_removed_unless_it_goes_on(
    home: Path, say: Callable[..., tuple[int, str]]
) -> None:
    staging = home / "data" / "store.joining"
    open_store(staging, genesis_hash=WORLD.genesis_file.hash()).close()
    other = RealFiles().lock(home / "data" / "store.joining.lock")
    code, said = say("join", str(home.parent / "file"))
    assert (code, "in use" in said, left(home)) == (Exit.BUSY, True, ["store.joining", "store.joining.lock"])
    other.release()
    assert say("join", str(home.parent / "file"))[0] == 0
    assert left(home) == ["store"]


@pytest.mark.parametrize("error", [DiskFull("disk-full", path="x", what="write"), DiskFailed("disk-failed", path="x")])
def test_a_disk_that_is_full_or_errs_is_told_and_leaves_nothing(
    home: Path, say: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch, error: StorageError
) -> None:
    write = SqliteStore.write
    for at in (0, 1, 3):
        calls: list[int] = []

        def failing(self: Any, batch: Batch, sync: bool = True, at: int = at, calls: list[int] = calls) -> None:
            calls.append(at)
            if len(calls) > at:
                raise error
            write(self, batch, sync)

        with monkeypatch.context() as patch:
            patch.setattr(SqliteStore, "write", failing)
            patch.setenv("FAZHI_NODE_STORE", "sqlite")
            code, said = say("join", str(home.parent / "file"))
        assert (code, left(home)) == (Exit.STORAGE, []), said
    assert say("join", str(home.parent / "file"))[0] == 0


# From a gateway


class Served(BaseHTTPRequestHandler):
    """What a gateway answers: ``answer`` is the server's."""

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers.get("Authorization")))  # type: ignore[attr-defined]
        status, body, length = self.server.answer  # type: ignore[attr-defined]
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Any]:
    made: Any = ThreadingHTTPServer(("127.0.0.1", 0), Served)
    made.asked, made.answer = [], (200, DATA, len(DATA))
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


def test_from_a_gateway(
    home: Path, say: Callable[..., tuple[int, str]], server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"http://127.0.0.1:{server.server_port}"
    token = home.parent / "token"
    server.answer = (401, b'{"detail": "Reading needs a token"}', 35)
    code, said = say("join", url)
    assert (code, "Reading needs a token" in said, left(home)) == (Exit.UNREACHABLE, True, [])
    server.answer = (503, b"busy", 4)
    assert say("join", url)[0] == Exit.UNREACHABLE
    server.answer = (200, DATA[:-100], len(DATA))  # it breaks off
    code, said = say("join", url)
    assert (code in (Exit.UNREACHABLE, Exit.USAGE), left(home)) == (True, [])
    token.write_text("two tokens")
    assert say("join", url, "--token-file", str(token))[0] == Exit.USAGE
    server.answer, server.asked = (200, DATA, len(DATA)), []
    monkeypatch.setenv("FAZHI_TOKEN", "the-token-of-the-variable\n")
    token.write_text("# 读取令牌\nthe-token-of-the-file\n")
    assert say("join", url, "--token-file", str(token))[0] == 0
    assert server.asked == [("/v1/snapshot", "Bearer the-token-of-the-file")]
    shutil.rmtree(home / "data" / "store")
    assert say("join", url)[0] == 0
    assert server.asked[1:] == [("/v1/snapshot", "Bearer the-token-of-the-variable")]
    with closing(opened(home)) as chain:
        assert chain.tip == TIP


@pytest.mark.parametrize(
    "token", ["请向运营者索取的读取令牌", "the-token-of-a-court\nX-More: 1", "two tokens in one line", "short"]
)
def test_what_cannot_be_a_token_is_said_before_anybody_is_asked(
    home: Path, say: Callable[..., tuple[int, str]], server: Any, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    """No header can hold it: it had ended the command with a traceback."""
    url = f"http://127.0.0.1:{server.server_port}"
    file = home.parent / "token"
    file.write_text(token, encoding="utf-8")
    code, said = say("join", url, "--token-file", str(file))
    assert (code, f"token file {file} cannot be used" in said) == (Exit.USAGE, True), said
    monkeypatch.setenv("FAZHI_TOKEN", token)
    code, said = say("join", url)
    assert (code, "FAZHI_TOKEN must hold one token" in said) == (Exit.USAGE, True), said
    assert server.asked == []


def test_a_file_of_several_tokens_is_none_to_join_with(home: Path, say: Callable[..., tuple[int, str]]) -> None:
    file = home.parent / "token"
    for text in ("", "the-token-of-a-court\nthe-token-of-another\n"):
        file.write_text(text)
        code, said = say("join", "http://127.0.0.1:1", "--token-file", str(file))
        assert (code, f"{file} must hold one token" in said) == (Exit.USAGE, True), said


def test_an_operators_command_reads_the_tokens_as_the_node_does(
    home: Path, say: Callable[..., tuple[int, str]], server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A comment behind a space is none of the tokens, and what is no token is named with its line."""
    monkeypatch.setenv("FAZHI_NODE_HTTP_LISTEN", f"127.0.0.1:{server.server_port}")
    monkeypatch.setenv("FAZHI_NODE_OPEN_READS", "false")
    tokens = home / "keys" / "read-tokens"
    tokens.write_text("  # 法院\nthe-token-of-a-court\n", encoding="utf-8")
    say("export", "-o", str(home.parent / "archive"))
    assert server.asked == [("/v1/archive", "Bearer the-token-of-a-court")]
    tokens.write_text("法院的读取令牌法院的读取令牌\n", encoding="utf-8")
    code, said = say("export", "-o", str(home.parent / "archive"))
    assert (code, f"Line 1 of the token file {tokens}" in said) == (Exit.USAGE, True), said


def test_a_running_node_without_the_first_blocks_has_no_archive(
    home: Path, say: Callable[..., tuple[int, str]], server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAZHI_NODE_HTTP_LISTEN", f"127.0.0.1:{server.server_port}")
    archive = home.parent / "archive"
    body = b'{"code": "below-base", "detail": "x", "parameters": {"first": 13}}'
    server.answer = (410, body, len(body))
    code, said = say("export", "-o", str(archive))
    assert server.asked == [("/v1/archive", None)]
    assert (code, "from block 13 on" in said, "Export at a member" in said) == (Exit.USAGE, True, True), said
    assert "entered" not in said
    assert "没有全链的归档" in say("export", "-o", str(archive), lang="zh")[1]
    for status, other in ((410, b'{"code": "pruned", "detail": "x"}'), (410, b"gone"), (500, body)):
        server.answer = (status, other, len(other))
        code, said = say("export", "-o", str(archive))
        assert (code, "makes no sense" in said, f"HTTP {status}" in said) == (Exit.UNREACHABLE, True, True), said
    assert not archive.exists()


def test_nobody_there(home: Path, say: Callable[..., tuple[int, str]], server: Any) -> None:
    url = f"https://127.0.0.1:{server.server_port}"
    code, said = say("join", url)  # it speaks no TLS
    assert (code, "curl" in said, server.asked, left(home)) == (Exit.UNREACHABLE, False, [], [])
    (closed,) = free_ports(1)
    code, said = say("join", f"https://127.0.0.1:{closed}")
    assert (code, "refused" in said, "Does the node run there" in said, "curl" in said) == (3, True, True, False), said
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(home / "keys" / "tls.crt", home / "keys" / "tls.key")  # the newcomer's: not in the genesis
    server.socket = context.wrap_socket(server.socket, server_side=True)
    code, said = say("join", url)
    assert (code, "none of this genesis" in said, "with curl" in said, server.asked) == (3, True, True, []), said
    assert "另一条链" in say("join", url, lang="zh")[1]
