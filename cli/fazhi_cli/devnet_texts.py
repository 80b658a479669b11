"""Sentences of ``fazhi devnet``, ``{code: (中文, English)}``. Braces name parameters."""

from __future__ import annotations

from typing import Final

from .language import Pair

DEVNET: Final[dict[str, Pair]] = {
    "up": (
        "试验网络已启动: {folder}(密钥未加密,请勿用于真实证据)",
        "the network is up: {folder} (its keys are in the clear: not for evidence)",
    ),
    "genesis": ("创世哈希 {hash}", "genesis hash {hash}"),
    "none": ("“{folder}”中没有试验网络", "there is no devnet in “{folder}”"),
    "down": ("已停止 {count} 个节点", "{count} nodes stopped"),
    "silent": ("无应答", "does not answer"),
    "ready": ("就绪", "ready"),
    "not-ready": ("未就绪({reason})", "not ready ({reason})"),
    "state": (
        "高度 {height} · 轮次 {round} · 对等节点 {peers} · 待处理 {mempool}",
        "height {height} · round {round} · peers {peers} · mempool {mempool}",
    ),
}
