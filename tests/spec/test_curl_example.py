"""The worked example of ``spec/submission.md`` against real nodes: bash, openssl and curl in, a valid receipt out."""

from __future__ import annotations

import base64
import json
import os
import shutil
import ssl
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from fazhi_ledger.genesis import GenesisFile
from fazhi_ledger.receipt_steps import VALID, check_receipt
from fazhi_sdk.testing import network

from tests.spec.vectors import SPEC

NUMBER = "2026-0412"


def test_a_case_is_opened_and_receipted_without_our_code(tmp_path: Path) -> None:
    missing = [tool for tool in ("bash", "openssl", "curl") if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    with network() as chain:
        net = chain.network
        node = net.nodes["zfj"]
        certificate = Path(node.home) / "keys" / "tls.crt"
        environment = {
            **os.environ,
            "GATEWAY": node.url,
            "CACERT": str(certificate),
            "GENESIS_HASH": net.genesis_hash,
            "ORG": node.org,
            "KEY": str(net.folder / "officers" / "officer.key"),
        }
        command = ["bash", str(SPEC / "examples" / "submit.sh"), NUMBER]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        first, _, answer = done.stdout.partition("\n")
        result = json.loads(answer)["results"][0]
        assert (result["status"], result["code"]) == ("committed", "OK")
        assert first == f"id {result['id']}"

        token = net.tokens[node.url]

        def get(path: str) -> bytes:
            context = ssl.create_default_context(cafile=str(certificate))
            request = urllib.request.Request(node.url + path, headers={"Authorization": f"Bearer {token}"})
            with urllib.request.urlopen(request, timeout=10, context=context) as response:
                data: bytes = response.read()
                return data

        receipt: dict[str, Any] = json.loads(get(f"/v1/submissions/{result['id']}/proof"))
        genesis = GenesisFile.decode(get("/v1/genesis")).genesis_bytes
    receipt |= {
        "format": "fazhi-record-receipt",
        "version": 1,
        "genesis": base64.b64encode(genesis).decode(),
        "anchor": None,
        "docket": {"org": node.org, "number": NUMBER},
        "openings": [],
    }
    report = check_receipt(json.dumps(receipt).encode(), bytes.fromhex(net.genesis_hash))
    assert report.verdict == VALID, report.failed
    assert report.require_valid().docket_number == NUMBER
