"""What a request may bring about that fails: which errors end the node, and which are those of its end."""

from __future__ import annotations

import asyncio
from pathlib import Path
from unittest.mock import Mock

import pytest
from fazhi_node.prepare import prepare
from fazhi_node.service import Service
from fazhi_node.storage.errors import DiskFailed, StorageError, StoreStopped

from .test_renewal import genesis

__all__ = ["genesis"]

STOPPED, FAILED = StoreStopped("store-stopped", path="x"), DiskFailed("disk-failed", path="x", what="read", error="EIO")


@pytest.mark.parametrize(
    ("ending", "error", "code"),
    [
        (False, STOPPED, "store-stopped"),
        (True, STOPPED, None),
        (False, FAILED, "disk-failed"),
        (True, FAILED, "disk-failed"),
    ],
)
def test_a_request_that_still_reads_when_the_node_stops_is_no_fault(
    tmp_path: Path, genesis: Path, ending: bool, error: StorageError, code: str | None
) -> None:
    """Its store was closed under it: the exit code of a clean stop had said that the disk failed."""

    async def scenario() -> None:
        service = Service(prepare(tmp_path / "alpha", None, lambda: b"", None), Mock())
        try:
            if ending:
                service._ended.set()
            service.request_failed(error, "an incident")
            assert (None if service._stop is None else service._stop.code) == code
            assert service._ended.is_set() is (ending or code is not None)
        finally:
            service._verifier.stop()

    asyncio.run(scenario())
