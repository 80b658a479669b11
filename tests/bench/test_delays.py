"""Delays are put in from outside: what arrives is the same, in the same order."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from pathlib import Path

from bench.delays import compile_slow_sync, ratios
from bench.figures import Report
from tests.conftest import ROOT


def test_a_slow_link_carries_every_byte_in_order_both_ways() -> None:
    data = bytes(range(256)) * 4096
    listener = socket.create_server(("127.0.0.1", 0))

    def echo() -> None:
        connection, _ = listener.accept()
        with connection:
            while piece := connection.recv(65536):
                connection.sendall(piece)

    thread = threading.Thread(target=echo, daemon=True)
    thread.start()
    command = [sys.executable, "-m", "bench.slow_links", "2", "2", f"127.0.0.1:{listener.getsockname()[1]}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as child:
        assert child.stdout is not None
        (port,) = json.loads(child.stdout.readline())
        with socket.create_connection(("127.0.0.1", port)) as near:

            def send() -> None:
                near.sendall(data)
                near.shutdown(socket.SHUT_WR)

            sender = threading.Thread(target=send)
            sender.start()
            found = b""
            while piece := near.recv(65536):
                found += piece
            sender.join()
        child.communicate()
        assert child.returncode == 0
    thread.join()
    listener.close()
    assert found == data


def test_a_preload_is_given_or_the_reason_why_not(tmp_path: Path) -> None:
    environment, why_not = compile_slow_sync(tmp_path)
    assert bool(environment) != bool(why_not)


def test_a_delay_is_stated_beside_what_it_is_compared_with() -> None:
    report = Report({})
    ratios(report, "none", "fsync_5ms", [100.0, 90.0, 110.0], [80.0])
    delays = report.document()["delays"]
    assert delays == {"none": {"submissions_per_s": 100.0}, "fsync_5ms": {"submissions_per_s": 80.0, "ratio": 0.8}}
