"""An attack that reaches nobody is not measured as one that did no harm."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from fazhi_sdk.devnet import free_ports

from bench import attacks


@pytest.mark.parametrize("name", ["garbage", *attacks.OTHERS])
def test_an_attack_that_reaches_nobody_is_none(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(attacks, "BEGIN_S", 0.5)
    peers, gateway = free_ports(2)
    (tmp_path / "keys").mkdir()
    for file in ("tls.crt", "tls.key"):
        (tmp_path / "keys" / file).touch()
    target = attacks.Target("zfj", f"127.0.0.1:{peers}", gateway, str(tmp_path))
    attack = attacks.Attack(name, bytes(32).hex(), str(tmp_path), 0, (target,), "officer")
    with pytest.raises(ExceptionGroup) as caught:
        asyncio.run(attacks.carry_out(attack))
    assert caught.group_contains(TimeoutError)
    assert capsys.readouterr().out == ""
