"""The older build of an upgrade."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from . import builds


def test_a_build_whose_chains_have_another_protocol_is_none_to_upgrade_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    try:
        _, path = builds.previous_build(tmp_path / "same", "HEAD")
    except (OSError, subprocess.SubprocessError) as error:
        pytest.skip(f"no git, or no history: {type(error).__name__}")
    assert str(tmp_path / "same" / "node") in path
    monkeypatch.setattr(builds, "PROTOCOL_VERSION", 0)
    with pytest.raises(builds.OtherProtocol):
        builds.previous_build(tmp_path / "other", "HEAD")
