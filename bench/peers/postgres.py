"""PostgreSQL with two synchronous standbys: a commit is answered when both have flushed it to their disks."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from fazhi_sdk.devnet import free_ports

from bench.cluster import ROOT
from bench.measure import BenchError, Spread

from .crew import Absent, Crew, answers, crew, last_json, python_packages
from .rows import Guarantees, Row
from .sizes import Sizes

STANDBYS: Final = ("standby1", "standby2")
LOADS: Final = ((1, 64), (100, 8), (1000, 4))
"""Rows a transaction, connections."""
SETTINGS: Final = {
    "listen_addresses": "'127.0.0.1'",
    "fsync": "on",
    "synchronous_commit": "on",
    "wal_level": "replica",
    "max_connections": "120",
    "shared_buffers": "256MB",
    "max_wal_size": "4GB",
    "hot_standby": "on",
}
GUARANTEES: Final = Guarantees(
    "none",
    "crashes; a lost machine stops writes until it is struck from the list",
    "WAL flushed on all three (synchronous_commit = on, ANY 2 of 2)",
    "plain",
    "who wrote what; any administrator can change any row unseen",
)


def find_programs() -> dict[str, Path]:
    """The programs of one installation.

    Raises:
        Absent: they are not here.
    """
    postgres = shutil.which("postgres")
    places = [Path(postgres).resolve().parent] if postgres else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for place in places:
        found = {name: place / name for name in ("postgres", "initdb", "pg_basebackup", "psql")}
        if all(path.exists() for path in found.values()):
            return found
    raise Absent("no postgres, initdb, pg_basebackup and psql in one folder")


def unprivileged() -> str | None:
    """PostgreSQL does not run as root: who runs it then; None for ourselves.

    Raises:
        Absent: we are root and there is nobody else.
    """
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            group = pwd.getpwnam(name).pw_gid
        except KeyError:
            continue
        if pwd.getpwnam(name).pw_uid and group:
            return name
    raise Absent("runs as root, and there is no user postgres")


def configuration(port: int, folder: Path) -> str:
    """What is appended to a server's settings."""
    lines = [f"{name} = {value}" for name, value in SETTINGS.items()]
    lines += [f"port = {port}", f"unix_socket_directories = '{folder}'"]
    return "\n".join(lines) + "\n"


@contextmanager
def cluster() -> Iterator[tuple[Crew, int, str]]:
    """A primary and two standbys that stream; the crew, the primary's port, the version."""
    programs = find_programs()
    with crew(unprivileged()) as people:
        ports = free_ports(1 + len(STANDBYS))
        version = people.run([programs["postgres"], "--version"]).split()[2]
        primary = people.folder / "primary"
        initialise: list[str | Path] = [
            programs["initdb"],
            "-D",
            primary,
            "-A",
            "trust",
            "-U",
            "postgres",
            "-E",
            "UTF8",
        ]
        people.run([*initialise, "--locale=C"])

        def sql(text: str) -> str:
            command: list[str | Path] = [
                programs["psql"],
                "-XAtq",
                "-h",
                "127.0.0.1",
                "-p",
                str(ports[0]),
                "-U",
                "postgres",
            ]
            return people.run([*command, "-d", "postgres", "-v", "ON_ERROR_STOP=1", "-c", text]).strip()

        def start(name: str, port: int) -> None:
            with (people.folder / name / "postgresql.conf").open("a") as file:
                file.write(configuration(port, people.folder))
            people.start(name, [programs["postgres"], "-D", people.folder / name], signal.SIGINT)
            people.wait(lambda: answers(port), name)

        def takes_queries() -> bool:
            try:
                return sql("SELECT 1") == "1"
            except BenchError:  # it listens before it is ready
                return False

        start("primary", ports[0])
        people.wait(takes_queries, "primary")
        for name, port in zip(STANDBYS, ports[1:], strict=True):
            source = f"host=127.0.0.1 port={ports[0]} user=postgres application_name={name}"
            people.run([programs["pg_basebackup"], "-D", people.folder / name, "-d", source, "-R", "-X", "stream"])
            start(name, port)
        sql(f"ALTER SYSTEM SET synchronous_standby_names = 'ANY 2 ({', '.join(STANDBYS)})'")
        sql("SELECT pg_reload_conf()")
        quorum = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'quorum' AND state = 'streaming'"
        people.wait(lambda: sql(quorum) == "2", "the standbys do not stream")
        sql("CREATE TABLE writes (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body bytea NOT NULL)")
        yield people, ports[0], version


def measure(sizes: Sizes) -> list[Row]:
    """One by one, by 100 and by 1,000 rows a transaction."""
    path = os.pathsep.join([str(python_packages("asyncpg")), str(ROOT)])
    rows: list[Row] = []

    with cluster() as (_, port, version):

        def load(per_transaction: int, connections: int, size: int, seconds: int) -> tuple[float, float]:
            numbers = [str(one) for one in (port, connections, per_transaction, size, seconds)]
            done = subprocess.run(
                [sys.executable, "-m", "bench.peers.pg_load", *numbers], capture_output=True, check=False,
                timeout=seconds + 60, env={**os.environ, "PYTHONPATH": path},
            )  # fmt: skip
            if done.returncode != 0:
                raise BenchError(done.stderr.decode("utf-8", "replace")[-400:])
            found = last_json(done.stdout.decode())
            return found["writes"] / found["seconds"], found["p50_ms"]

        for per_transaction, connections in LOADS:
            size = sizes.single if per_transaction == 1 else sizes.batched
            load(per_transaction, connections, size, 2)
            runs = [load(per_transaction, connections, size, sizes.seconds) for _ in range(sizes.runs)]
            said = "one row" if per_transaction == 1 else f"{per_transaction:,} rows"
            system = f"PostgreSQL {version}, two synchronous standbys"
            what = f"{said} a transaction, {connections} connections"
            rates, p50 = Spread.of([rate for rate, _ in runs]), Spread.of([one for _, one in runs]).median
            rows.append(Row.of(system, what, size, rates, p50, GUARANTEES))
    return rows
