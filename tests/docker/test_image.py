"""What the image is made of, without building one: the part of the lock, the health check against real servers, and
that Dockerfile, compose files and scripts name what is there.
"""

from __future__ import annotations

import http.server
import os
import re
import shutil
import ssl
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from types import ModuleType

import pytest
from fazhi_node.addresses import DEFAULT_HTTP_PORT, DEFAULT_P2P_PORT, HOME_VARIABLE
from fazhi_node.certificates import make_certificate
from fazhi_node.config_file import config_text
from fazhi_node.main import _parser
from fazhi_node.transport.identity import pem_of
from packaging.requirements import Requirement

from tests.conftest import ROOT

DOCKER = ROOT / "docker"
DISTRIBUTIONS = ("ledger", "consensus", "contracts", "sdk", "node", "cli")
TOOLS = {"pytest", "mypy", "ruff", "hypothesis", "hatchling", "import-linter"}
SCRIPTS = ("base.sh", "build.sh", "client.sh", "setup.sh")


def text_of(name: str) -> str:
    return (DOCKER / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def runtime_lock() -> Iterator[ModuleType]:
    sys.path.insert(0, str(DOCKER))
    try:
        import runtime_lock as module  # type: ignore[import-not-found]

        yield module
    finally:
        sys.path.remove(str(DOCKER))
        sys.modules.pop("runtime_lock", None)


def wheelhouse_of_installed(folder: Path) -> Path:
    """Wheels that hold nothing but what the installed distributions ask for."""
    for name in DISTRIBUTIONS:
        with zipfile.ZipFile(folder / f"fazhi_{name}-1-py3-none-any.whl", "w") as wheel:
            lines = "".join(f"Requires-Dist: {line}\n" for line in requires(f"fazhi-{name}") or ())
            metadata = f"Metadata-Version: 2.4\nName: fazhi-{name}\n{lines}\n"
            wheel.writestr(f"fazhi_{name}-1.dist-info/METADATA", metadata)
    return folder


def needed_here(canonical: object, name: str, found: set[str]) -> None:
    """All that ``name`` needs on this machine, by what is installed."""
    for line in requires(name) or ():
        requirement = Requirement(line)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        key = canonical(requirement.name)  # type: ignore[operator]
        if key not in found:
            found.add(key)
            needed_here(canonical, key, found)


def test_the_image_gets_all_that_runs_and_no_tools(runtime_lock: ModuleType, tmp_path: Path) -> None:
    roots = runtime_lock.required_by(wheelhouse_of_installed(tmp_path))
    part = runtime_lock.runtime_part((ROOT / "requirements.lock").read_text(encoding="utf-8"), roots)
    names = {name for name, _, _ in runtime_lock.entries(part)}
    needed: set[str] = set()
    try:
        for name in DISTRIBUTIONS:
            needed_here(runtime_lock.canonical, f"fazhi-{name}", needed)
    except PackageNotFoundError as missing:
        pytest.fail(f"the environment lacks {missing}")
    assert {name for name in needed if not name.startswith("fazhi-")} <= names
    assert not names & TOOLS


def test_every_entry_of_the_part_keeps_version_and_hashes(runtime_lock: ModuleType, tmp_path: Path) -> None:
    roots = runtime_lock.required_by(wheelhouse_of_installed(tmp_path))
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    part = list(runtime_lock.entries(runtime_lock.runtime_part(lock, roots)))
    assert len(part) >= len(roots)
    for name, lines, _ in part:
        assert "==" in lines[0], name
        assert any("--hash=sha256:" in line for line in lines), name
        assert all(line in lock for line in lines), name


def test_what_the_lock_lacks_is_named(runtime_lock: ModuleType) -> None:
    with pytest.raises(SystemExit, match="no-such-thing"):
        runtime_lock.runtime_part("msgpack==1 \\\n    --hash=sha256:00\n", {"msgpack", "no-such-thing"})


class _Node(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/healthz" else 503)
        self.end_headers()
        self.wfile.write(b'{"reason":\n "no-quorum"}')

    def log_message(self, *_: object) -> None:
        return


@contextmanager
def serving(tls: tuple[Path, Path] | None) -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Node)
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def certificate_in(folder: Path) -> tuple[Path, Path]:
    folder.mkdir(parents=True)
    key, certificate = make_certificate("fazhi-gzc", ["gzc.example"])
    (folder / "tls.key").write_bytes(key)
    (folder / "tls.crt").write_bytes(pem_of(certificate))
    return folder / "tls.crt", folder / "tls.key"


def check(home: Path, path: str, **environment: str) -> tuple[int, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("FAZHI_")}
    done = subprocess.run(
        [sys.executable, "-I", DOCKER / "healthcheck.py", path],
        env={**clean, HOME_VARIABLE: str(home), **environment},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.stderr == ""
    return done.returncode, done.stdout


def home_at(folder: Path, port: int, *, plain: bool) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    text = config_text("gzc", f"0.0.0.0:{port}", "0.0.0.0:7444", plain=plain, open_reads=False)
    (folder / "fazhi-node.toml").write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize("plain", [True, False])
def test_health_check_tells_well_from_not_ready(tmp_path: Path, plain: bool) -> None:
    own = certificate_in(tmp_path / "keys")
    with serving(None if plain else own) as port:
        home = home_at(tmp_path, port, plain=plain)
        assert check(home, "/healthz")[0] == 0
        code, said = check(home, "/readyz")
    assert code == 1
    assert said == '/readyz 503 {"reason": "no-quorum"}\n'
    code, said = check(home, "/healthz")  # nobody answers any more
    assert code == 1
    assert said.startswith("/healthz - ")


def test_health_check_believes_only_the_own_certificate(tmp_path: Path) -> None:
    certificate_in(tmp_path / "home" / "keys")
    with serving(certificate_in(tmp_path / "other")) as port:
        code, said = check(home_at(tmp_path / "home", port, plain=False), "/healthz")
    assert code == 1
    assert "SSLCertVerificationError" in said


def test_health_check_reads_the_environment_over_the_file(tmp_path: Path) -> None:
    with serving(None) as port:
        home = home_at(tmp_path, 1, plain=False)
        changed = {"FAZHI_NODE_HTTP_LISTEN": f"127.0.0.1:{port}", "FAZHI_NODE_HTTP_PLAIN": "true"}
        assert check(home, "/healthz", **changed)[0] == 0
        assert check(home, "/healthz")[0] == 1
        (home / "fazhi-node.toml").unlink()
        assert check(home, "/healthz")[0] == 1


def test_dockerfile_copies_only_what_the_context_holds() -> None:
    context = set(re.findall(r"^context=\((.*)\)$", text_of("build.sh"), re.MULTILINE)[0].split())
    copied: set[str] = set()
    for line in re.findall(r"^COPY (?!--from)(.*)$", text_of("Dockerfile"), re.MULTILINE):
        copied |= set(line.split()[:-1])
    assert copied <= context
    assert all((ROOT / name).exists() for name in context - {"wheelhouse"})


def test_dockerfile_agrees_with_the_node() -> None:
    dockerfile = text_of("Dockerfile")
    assert f"{HOME_VARIABLE}=/var/lib/fazhi" in dockerfile
    assert f"EXPOSE {DEFAULT_HTTP_PORT} {DEFAULT_P2P_PORT}\n" in dockerfile
    assert re.search(r"^USER 10001:10001$", dockerfile, re.MULTILINE)
    assert "STOPSIGNAL SIGTERM" in dockerfile
    assert not re.search(r"\b(apt|apt-get|curl|wget|git)\b", dockerfile)
    for line in dockerfile.splitlines():
        assert "pip install" not in line or "--no-index" in line


def test_compose_and_setup_name_the_same_agencies() -> None:
    compose, setup = text_of("docker-compose.yml"), text_of("setup.sh")
    agencies = re.findall(r'^    "([a-z]+)\|', setup, re.MULTILINE)
    assert agencies == ["sfj", "zfj", "gzc", "fy"]
    assert re.findall(r"^    <<: \*node\n    container_name: fazhi-([a-z]+)$", compose, re.MULTILINE) == agencies
    assert re.findall(r"^  ([a-z]+): \{external: true, name: fazhi-\1\}$", compose, re.MULTILINE) == agencies
    assert re.findall(r"^  ([a-z]+): \{file: \./secrets/\1\.passphrase\}$", compose, re.MULTILINE) == agencies
    for org in agencies:
        assert f'volumes: ["{org}:/var/lib/fazhi"]' in compose
        assert f"secrets: [{{source: {org}, target: passphrase}}]" in compose
    published = re.findall(r'ports: \["([^"]+)"\]', compose)
    assert len(published) == 4
    assert all(port.startswith("127.0.0.1:") and port.endswith(f":{DEFAULT_HTTP_PORT}") for port in published)


@pytest.mark.parametrize("name", ["docker-compose.yml", "member.yml"])
def test_compose_starts_a_command_that_exists(name: str) -> None:
    commands = re.findall(r"command: \[fazhi-node, (.*)\]", text_of(name))
    assert commands
    for command in commands:
        assert _parser("en").parse_args(command.split(", ")).passphrase_file == Path("/run/secrets/passphrase")
    assert "PASSPHRASE=" not in text_of(name)


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_are_executable_and_parse(name: str) -> None:
    bash = shutil.which("bash")
    assert bash is not None
    assert os.access(DOCKER / name, os.X_OK)
    subprocess.run([bash, "-n", DOCKER / name], check=True, timeout=30)


def test_no_package_shadows_the_docker_sdk() -> None:
    assert not (DOCKER / "__init__.py").exists()
