"""An archive out of nodes that break off: it goes on where it stopped, or says that it could not be had."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from fazhi_ledger.archive import MAGIC, FrameCutter, read_frames, write_archive
from fazhi_ledger.block import Block
from fazhi_ledger.errors import EncodingError
from fazhi_ledger.genesis import GenesisFile
from fazhi_sdk.audit import audit
from fazhi_sdk.errors import NotConnected, SdkError
from fazhi_sdk.sync import archive_chunks
from hypothesis import given
from hypothesis import strategies as st

from .chains import ORGS, build_chain, certificate_of

FILE, BLOCKS = build_chain(6, 3)
WHOLE = b"".join(write_archive(FILE.encode(), BLOCKS))


class Node:
    """Serves a genesis and an archive; ``cuts`` are the bytes after which its answers break off, one after another,
    ``None`` for a whole one. Asked for the archive it may say something else than 200.
    """

    def __init__(self, file: GenesisFile, archive: bytes, cuts: list[int | None], status: int = 200) -> None:
        self.asked = 0
        node = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                body = file.encode() if self.path == "/v1/genesis" else archive
                cut, said = None, 200
                if self.path == "/v1/archive":
                    said = status
                    cut = cuts[min(node.asked, len(cuts) - 1)]
                    node.asked += 1
                self.send_response(said)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body if cut is None else body[:cut])
                self.close_connection = cut is not None

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fazhi_sdk.aio.archive.PAUSE_S", 0.0)


@pytest.fixture
def nodes() -> Iterator[list[Node]]:
    up: list[Node] = []
    yield up
    for node in up:
        node.close()


def test_it_goes_on_behind_the_last_whole_block(nodes: list[Node]) -> None:
    nodes.append(Node(FILE, WHOLE, [0, len(WHOLE) // 3, len(WHOLE) // 3, len(WHOLE) // 2, len(WHOLE) - 2, None]))
    assert b"".join(archive_chunks(nodes[0].url, FILE.hash())) == WHOLE
    assert nodes[0].asked == 6


def test_another_node_goes_on_whose_certificates_are_others(nodes: list[Node]) -> None:
    others = [
        (data, certificate_of(FILE.hash(), height, Block.decode(data).hash(FILE.genesis.suite), ORGS))
        for height, (data, _) in enumerate(BLOCKS, 1)
    ]
    nodes.append(Node(FILE, WHOLE, [(len(FILE.encode()) + len(WHOLE)) // 2]))  # half of the blocks
    nodes.append(Node(FILE, b"".join(write_archive(FILE.encode(), others)), [None]))
    report = audit(archive_chunks([node.url for node in nodes], FILE.hash()), FILE.hash(), processes=0)
    assert report.clean
    assert (report.height, report.submissions) == (6, 18)
    assert 6 * 3 < report.signatures - 18 < 6 * 4
    assert [node.asked for node in nodes] == [1, 1]


def test_it_gives_up_where_nothing_new_comes(nodes: list[Node]) -> None:
    nodes.append(Node(FILE, WHOLE, [len(WHOLE) // 2]))
    with pytest.raises(NotConnected):
        list(archive_chunks(nodes[0].url, FILE.hash()))
    assert nodes[0].asked == 4


@pytest.mark.parametrize(("status", "cut"), [(404, None), (302, None), (202, 5), (410, 5), (503, 0)])
def test_who_does_not_serve_it_is_passed_over_even_where_its_refusal_breaks_off(
    nodes: list[Node], status: int, cut: int | None
) -> None:
    nodes.append(Node(FILE, b'{"code": "below-base", "detail": "elsewhere"}', [cut], status))
    with pytest.raises(SdkError) as caught:
        list(archive_chunks(nodes[0].url, FILE.hash()))
    assert "elsewhere" in str(caught.value) or cut is not None, "who is asked alone says why"
    nodes.append(Node(FILE, WHOLE, [None]))
    assert b"".join(archive_chunks([node.url for node in nodes], FILE.hash())) == WHOLE


@pytest.mark.parametrize("body", [b"", b"no archive", WHOLE[:-1], WHOLE + b"x"])
def test_what_a_node_serves_whole_is_the_audits_to_judge(nodes: list[Node], body: bytes) -> None:
    nodes.append(Node(FILE, body, [None]))
    assert not audit(archive_chunks(nodes[0].url, FILE.hash()), FILE.hash(), processes=0).clean
    assert nodes[0].asked == 1


@given(data=st.data())
def test_parts_are_whole_frames_however_the_bytes_arrive(data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(WHOLE)), max_size=30)))
    cutter = FrameCutter()
    parts: list[bytes] = []
    for start, end in zip([0, *cuts], [*cuts, len(WHOLE)], strict=True):
        parts.extend(cutter.feed(WHOLE[start:end]))
    assert cutter.ended
    assert parts == [MAGIC, *(len(one).to_bytes(4, "big") + one for one in read_frames([WHOLE])), bytes(4)]
    assert list(cutter.feed(b"more")) == [b"more"]


def test_what_is_no_archive_is_not_kept() -> None:
    for wrong in (b"F0", b"x", MAGIC + b"\xff\xff\xff\xff"):
        with pytest.raises(EncodingError):
            list(FrameCutter().feed(wrong))
