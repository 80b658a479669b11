"""Ask the node of this container how it is: ``healthcheck.py /healthz`` or ``/readyz``; exit code 0 for 200, else 1.

Reads where the node listens from its own configuration (environment over file) and trusts only the node's own
certificate. Standard library only, so that a check costs a few hundredths of a second.
"""

from __future__ import annotations

import http.client
import os
import ssl
import sys
import tomllib
from pathlib import Path

TIMEOUT_S = 4.0
MAX_ANSWER_BYTES = 4096


def main(path: str) -> int:
    """Print what the node answers; 0 when that is 200."""
    try:
        status, text = ask(Path(os.environ.get("FAZHI_NODE_HOME", "fazhi-home")), path)
    except (OSError, ValueError, http.client.HTTPException) as error:
        status, text = 0, f"{type(error).__name__}: {error}"
    print(f"{path} {status or '-'} {text}")
    return 0 if status == 200 else 1


def ask(home: Path, path: str) -> tuple[int, str]:
    """Status and text of a GET to the node of ``home``."""
    settings = tomllib.loads((home / "fazhi-node.toml").read_text(encoding="utf-8"))
    for name in ("http_listen", "http_plain", "tls_certificate"):
        given = os.environ.get(f"FAZHI_NODE_{name.upper()}")
        if given is not None:
            settings[name] = given
    host, _, port = str(settings.get("http_listen", "0.0.0.0:7443")).rpartition(":")
    host = {"0.0.0.0": "127.0.0.1", "[::]": "::1"}.get(host, host.strip("[]"))  # noqa: S104 - where the node listens
    connection: http.client.HTTPConnection
    if str(settings.get("http_plain", False)).lower() in ("true", "1", "yes", "on", "t", "y"):
        connection = http.client.HTTPConnection(host, int(port), timeout=TIMEOUT_S)
    else:
        certificate = home / str(settings.get("tls_certificate", "keys/tls.crt"))
        context = ssl.create_default_context(cafile=str(certificate))
        context.check_hostname = False  # the one certificate trusted is the node's own; its names are those outside
        connection = http.client.HTTPSConnection(host, int(port), timeout=TIMEOUT_S, context=context)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        text = answer.read(MAX_ANSWER_BYTES).decode("utf-8", "replace")
        return answer.status, " ".join(text.split())
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "/healthz"))
