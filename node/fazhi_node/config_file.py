"""The configuration file that ``init`` writes: what a member must know is set, everything else stands as a comment
with its default.
"""

from __future__ import annotations

import json

_TEMPLATE = """\
# fazhi-node 的配置 / configuration of fazhi-node
# 相对路径以本文件所在目录为准;环境变量 FAZHI_NODE_<大写键名> 优先于本文件;拼错的键会被拒绝。
# Relative paths start here; a variable FAZHI_NODE_<KEY> stands over this file; a misspelt key is refused.
# `fazhi-node run --check` 只检查、不启动 / tells what would be done and starts nothing.

org = {org}

# 本节点监听的地址:网关(HTTPS)与成员之间(gRPC,双向 TLS)
# Where this node listens: the gateway (HTTPS) and the other members (gRPC, mutual TLS).
http_listen = {http_listen}
p2p_listen = {p2p_listen}

# 不带 TLS 的 HTTP,仅限本机 / HTTP without TLS, on loopback only
http_plain = {http_plain}
# 任何人可读;否则需要 keys/read-tokens 中的令牌(一行一个)
# Everybody may read; otherwise a bearer token out of keys/read-tokens (one a line) is needed.
open_reads = {open_reads}

# genesis = "genesis.fazhi"        # 全体成员共同的创世文件 / the genesis file of all members
# key = "keys/ledger.key"          # 口令 / passphrase: FAZHI_PASSPHRASE, --passphrase-file, or a prompt
# guard = "keys/vote-guard"        # 与密钥同放,切勿从备份恢复 / lies with the key; never restore it from a backup
# tls_key = "keys/tls.key"
# tls_certificate = "keys/tls.crt"
# read_tokens = "keys/read-tokens"
# data = "data"
# store = "auto"                   # auto | plyvel | sqlite

lang = {lang}                        # zh | en
# log_format = "console"           # console | json
# log_level = "info"               # debug | info | warning | error

# verify_threads = 0               # 0: 每核一个 / one a core
# mempool_items = 20000
# mempool_bytes = 134217728
# 成员地址与创世不同时 / where a member is reached, if not where the genesis says
# peer_addresses = {{}}              # {{ sfj = "10.0.0.7:7444" }}
# peer_queue_frames = 20000
# peer_queue_bytes = 67108864
# http_body_bytes = 16777216
# http_body_seconds = 30
# http_concurrency = 512
# http_items = 1000
# http_wait_ms = 30000
# event_streams = 64
# metrics = true
"""


def config_text(
    org: str, http_listen: str, p2p_listen: str, *, plain: bool, open_reads: bool, language: str = "zh"
) -> str:
    """The text of a new member's ``fazhi-node.toml``."""
    return _TEMPLATE.format(
        org=json.dumps(org),
        http_listen=json.dumps(http_listen),
        p2p_listen=json.dumps(p2p_listen),
        http_plain=json.dumps(plain),
        open_reads=json.dumps(open_reads),
        lang=json.dumps(language),
    )
