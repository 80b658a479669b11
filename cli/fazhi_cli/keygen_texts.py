"""Sentences of ``fazhi keygen``, ``{code: (中文, English)}``. Braces name parameters."""

from __future__ import annotations

from typing import Final

from .language import Pair

KEYGEN: Final[dict[str, Pair]] = {
    "made": ("已写入 {path}({suite});公钥:", "wrote {path} ({suite}); public key:"),
    "clear": (
        "注意:密钥未加密,任何能读取该文件的人都能以此签名。",
        "Note: the key is not encrypted; whoever reads the file can sign with it.",
    ),
    "card-genesis": (
        "已写入登记卡 {path}({org}: {roles}),供创世使用: fazhi-node genesis --officer {path}",
        "wrote the card {path} ({org}: {roles}) for a genesis: fazhi-node genesis --officer {path}",
    ),
    "card-chain": (
        "已写入登记卡 {path}({org}: {roles}),请交本单位的成员节点登记",
        "wrote the card {path} ({org}: {roles}); have the member of your organisation register it",
    ),
}
