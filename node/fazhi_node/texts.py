"""Sentences of ``fazhi-node`` for people, in Chinese and English: what happened, and what to do.

Errors carry codes and parameters through the house; sentences are made here, at the edge. Tables of the floors below
(storage, contracts) are asked where this one has no entry.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Final, Literal

from fazhi_ledger.errors import FazhiError, Parameter
from fazhi_ledger.messages import STEERING, shown

Language = Literal["zh", "en"]

TEXTS: Final[Mapping[str, tuple[str, str]]] = {
    # configuration
    "no-config": (
        "找不到配置 {path}。请先运行 fazhi-node init,或用 --home 指明节点目录。",
        "There is no configuration {path}. Run fazhi-node init first, or name the node's directory with --home.",
    ),
    "config-syntax": (
        "配置 {path} 不是有效的 TOML:{reason}。请更正后重试。",
        "The configuration {path} is not valid TOML: {reason}. Correct it and start again.",
    ),
    "unknown-setting": (
        "{where} 中的键 {name} 不存在,是否想写 {nearest}?请更正或删去。",
        "{where} has an unknown key {name}; did you mean {nearest}? Correct or remove it.",
    ),
    "unknown-variable": (
        "环境变量 {name} 不对应任何配置键,是否想写 {nearest}?请更正或取消。",
        "The variable {name} names no setting; did you mean {nearest}? Correct or unset it.",
    ),
    "missing-setting": (
        "{where} 缺少必填的键 {name},请补上。",
        "{where} lacks the key {name}; add it.",
    ),
    "bad-setting": (
        "{where} 中 {name} 的值不可用;允许:{reason}。",
        "{where}: the value of {name} cannot be used; allowed: {reason}.",
    ),
    "plain-http": (
        "{address} 不是本机地址,不允许不加密的 HTTP。请使用 https,或只监听 127.0.0.1。",
        "{address} is not on loopback, and HTTP without TLS is refused there. Use https, or listen on 127.0.0.1 only.",
    ),
    # files
    "unreadable-file": (
        "无法读取 {path}:{reason}。请检查路径和权限。",
        "{path} cannot be read: {reason}. Check path and permissions.",
    ),
    "file-too-large": (
        "{path} 超过 {limit} 字节,不可能是所需的文件。",
        "{path} has more than {limit} bytes and cannot be the file meant.",
    ),
    "file-exists": (
        "{path} 已存在,不会被覆盖。请换一个名字,或先移走它。",
        "{path} exists and is never overwritten. Choose another name, or move it away first.",
    ),
    "cannot-write": ("无法写入 {path}:{reason}。", "{path} cannot be written: {reason}."),
    "disk-full": (
        "{path} 所在磁盘已满。请腾出空间(至少 128 MiB)后重新启动,已确认的内容没有丢失。",
        "The disk of {path} is full. Make room (128 MiB at least) and start again; nothing acknowledged is lost.",
    ),
    # init and genesis
    "home-in-use": (
        "{path} 已存在:这里已有一个节点。请用 --home 指定新的目录;密钥绝不会被覆盖。",
        "{path} exists: there is a node here already. Name a new directory with --home; keys are never overwritten.",
    ),
    "bad-org": (
        "组织代号 {org} 不可用:须为小写 ASCII 字母开头的字母、数字、连字符,例如 notary。",
        "The organisation id {org} cannot be used: lower-case ASCII letters, digits and hyphens, such as notary.",
    ),
    "bad-role": (
        "角色 {role} 不可用:须为小写 ASCII 名称,例如 notary。",
        "The role {role} cannot be used: a lower-case ASCII name such as notary.",
    ),
    "bad-name": (
        "名称 {name} 不可用:须为 1 至 120 个可显示的字符。",
        "The name {name} cannot be used: 1 to 120 printable characters.",
    ),
    "bad-address": (
        "地址 {value} 不可用:{reason}。",
        "The address {value} cannot be used: {reason}.",
    ),
    "passphrase-too-short": (
        "口令至少 {minimum} 字节。",
        "A passphrase has at least {minimum} bytes.",
    ),
    "passphrases-differ": ("两次输入的口令不一致,请重试。", "The two passphrases differ; try again."),
    "no-passphrase-given": (
        "需要口令:设置 {variable},或用 --passphrase-file,或在终端运行。仅供开发时可用 --no-passphrase。",
        (
            "A passphrase is needed: set {variable}, use --passphrase-file, or run in a terminal. "
            "For development only there is --no-passphrase."
        ),
    ),
    "wrong-passphrase": (
        "口令打不开密钥 {path}。请检查 {variable} 或口令文件;口令无误则密钥文件已损坏,请从副本取回。",
        (
            "The passphrase does not open the key {path}. Check {variable} or the passphrase file; "
            "if it is the right one, the key file is damaged: put your copy back."
        ),
    ),
    "bad-key-file": (
        "密钥文件 {path} 不可用({reason})。请从 init 生成的副本恢复密钥(不要恢复 vote-guard)。",
        "The key file {path} cannot be used ({reason}). Restore the key that init made (but never the vote guard).",
    ),
    "bad-card": (
        "名片 {path} 不可用:{reason}。请向该成员重新索取。",
        "The card {path} cannot be used: {reason}. Ask that member for it again.",
    ),
    "card-of-another-chain": (
        (
            "名片 {path} 不是为本链所制(为另一条链,或 init 时没有 --genesis),或已被改动。"
            "请该成员以本链的创世文件重新 init --genesis,交来新名片。"
        ),
        (
            "The card {path} was made for another chain, or for none (init without --genesis), or was changed since. "
            "Let that member run init with --genesis and this chain's genesis file, and hand over the new card."
        ),
    ),
    "bad-certificate": (
        "{name} 的 TLS 证书不可用:{reason}。证书须由 fazhi-node init 生成。",
        "The TLS certificate of {name} cannot be used: {reason}. Let fazhi-node init make it.",
    ),
    "several-suites": (
        "名片的算法套件不一致:{suites}。全体成员须使用同一套件重新 init。",
        "The cards use several suites: {suites}. All members must init with the same one.",
    ),
    "unknown-suite": ("没有名为 {name} 的算法套件。", "There is no suite named {name}."),
    "bad-genesis": (
        "这些名片不能组成创世文件:{reason}。",
        "These cards do not make a genesis: {reason}.",
    ),
    "bad-parameter-option": (
        "参数 {value} 不可用:须为 名称=整数;已知名称:{known}。",
        "The parameter {value} cannot be used: name=integer, known names are {known}.",
    ),
    "unknown-procedure": (
        "没有内置的程序 {name};已有:{known}。",
        "There is no built-in procedure {name}; there are: {known}.",
    ),
    # run
    "no-genesis": (
        "找不到创世文件 {path}。请把成员共同的 genesis.fazhi 放到那里(init 与 run 也可用 --genesis 指明)。",
        "There is no genesis file {path}. Put the members' genesis.fazhi there (init and run take --genesis as well).",
    ),
    "bad-genesis-file": (
        "创世文件 {path} 不可用:{reason}。请向其他成员重新索取并核对创世哈希。",
        "The genesis file {path} cannot be used: {reason}. Ask another member for it and compare its hash.",
    ),
    "not-a-member": (
        "创世 {genesis} 中没有成员 {org}。请检查 org 与创世文件是否属于同一个联盟。",
        "The genesis {genesis} has no member {org}. Check that org and genesis file belong to one consortium.",
    ),
    "unknown-peer": (
        "peer_addresses 中的 {org} 不是成员。成员有:{known}。",
        "{org} in peer_addresses is no member. The members are {known}.",
    ),
    "no-such-open-proposal": (
        "没有编号为 {which} 的待决提案(须给出完整编号),或已有结果。用 fazhi-node proposals 查看。",
        "No open proposal has the id {which} (all digits are needed), or it is decided. See fazhi-node proposals.",
    ),
    "no-key-in-force": (
        "{org} 的密钥都不能签署:尚未登记、已被更换,或该成员已被移除。",
        "No key of {org} may sign: it is not registered yet, was replaced, or the member was voted out.",
    ),
    "not-committed-yet": (
        "提交 {id} 尚未上链:{reason}。请稍后用 fazhi-node proposals 查看。",
        "The submission {id} is not committed yet: {reason}. See fazhi-node proposals a little later.",
    ),
    "refused": ("已上链但被拒绝:{reason}", "It was committed and refused: {reason}"),
    "nothing-to-renew": (
        "请说明更换什么:--key、--tls、--url 或 --p2p。",
        "Say what to renew: --key, --tls, --url or --p2p.",
    ),
    "renewal-not-finished": (
        "{path} 已存在:上一次更换尚未了结。表决通过后停止节点并运行 fazhi-node renew --finish。",
        "{path} exists: a renewal is not finished. After its vote stop the node and run fazhi-node renew --finish.",
    ),
    "bad-rules": (
        "{path} 不能作为规则集或工作日历提案:{place}:{reason}。没有提出任何提案。",
        "{path} cannot be proposed as a rule set or calendar: {place}: {reason}. Nothing was proposed.",
    ),
    "card-changes-nothing": (
        "名片 {path} 与链上所载的证书和地址相同,表决它什么也不改变。请用最近一次 renew 给出的名片。",
        (
            "The card {path} changes nothing: the chain holds its certificate and addresses already. "
            "Take the card that the last renew named."
        ),
    ),
    "nothing-to-finish": (
        (
            "没有可了结的更换:本节点的链上还没有新的密钥或证书。交付表决的须是最近一次 renew 给出的名片;"
            "密钥在通过后两个高度才启用,空闲的链上约需两三分钟。请让本节点跟上后再试。"
        ),
        (
            "Nothing to finish: the chain of this node holds no new key or certificate yet. The card voted on must be "
            "the one that the last renew named; a key counts two heights after its vote (idle: some minutes). "
            "Let this node follow, then try again."
        ),
    ),
    "other-key": (
        "密钥 {path} 不是创世中 {org} 的密钥。请放回 init 时生成的密钥。",
        "The key {path} is not the one that the genesis holds for {org}. Put back the key that init made.",
    ),
    "other-certificate": (
        "证书 {path} 不是创世中 {org} 的证书。请放回 init 时生成的证书。",
        "The certificate {path} is not the one that the genesis holds for {org}. Put back the one that init made.",
    ),
    "bad-tls": (
        "TLS 密钥 {key} 与证书 {certificate} 不可用或不相配:{reason}。请从副本取回两者。",
        "TLS key {key} and certificate {certificate} cannot be used together: {reason}. Put both back from your copy.",
    ),
    "exposed-key": (
        "{path} 可被其他用户读取。请执行 chmod 600 {path}。",
        "{path} can be read by other users. Run chmod 600 {path}.",
    ),
    "bad-tokens": (
        "读取令牌文件 {path} 第 {line} 行不可用:每行一个令牌,16 至 256 个 ASCII 字符,无空格。",
        "Line {line} of the token file {path} cannot be used: one token a line, 16 to 256 ASCII characters, no spaces.",
    ),
    "port-in-use": (
        "无法监听 {address}:端口已被占用或地址不属于本机。请停掉另一进程,或修改 {setting}。",
        (
            "{address} cannot be listened on: the port is taken or the address is not this machine's. "
            "Stop the other process, or change {setting}."
        ),
    ),
    "own-fault": (
        "节点因自身错误停止({reason}),没有再说任何话。请保存日志并报告;数据目录不要改动。",
        (
            "The node stopped because of a fault of its own ({reason}) and said nothing more. "
            "Keep the log, report it, and leave the data directory as it is."
        ),
    ),
    # join
    "chain-present": (
        "{path} 已有链(高度 {height}),不会被覆盖。要以快照取代它,请先把该目录移走。",
        (
            "{path} holds a chain already (height {height}) and is never overwritten. "
            "To put a snapshot in its place, move that directory away first."
        ),
    ),
    "snapshot-refused": (
        "{address} 没有给出快照({reason})。请检查令牌(--token-file),或向另一个成员索取。",
        "{address} gave no snapshot ({reason}). Check the token (--token-file), or ask another member.",
    ),
    "no-snapshot-file": (
        "没有文件 {path}。若指成员的网关,其地址以 https:// 开头。",
        "There is no file {path}. If a member's gateway is meant: its address begins with https://.",
    ),
    "bad-snapshot-address": (
        "{value} 不是网关的地址。请写 https://主机:端口,不带路径;http:// 仅限本机。",
        "{value} is no address of a gateway. Give https://host:port without a path; http:// serves loopback only.",
    ),
    "snapshot-unreachable": (
        "无法从 {address} 读取({reason})。节点在那里运行吗?地址正确吗?请重试,或向另一个成员索取。",
        (
            "{address} cannot be read ({reason}). Does the node run there, and is the address right? Try again, or ask "
            "another member."
        ),
    ),
    "snapshot-other-certificate": (
        (
            "{address} 的证书不是本创世所载的({reason})。那里可能是另一条链;若是后来加入或换过证书的成员,"
            "请用 curl 下载 /v1/snapshot,再以文件加入:其内容全部核验。"
        ),
        (
            "The certificate of {address} is none of this genesis ({reason}). It may be another chain's; where the "
            "member came, or changed its certificate, later, fetch /v1/snapshot with curl and join from the file: all "
            "of it is verified."
        ),
    ),
    "bad-token-file": (
        "{path} 应只含一个令牌。",
        "{path} must hold one token.",
    ),
    # status and export
    "not-running": (
        "{address} 没有节点应答({reason})。用 fazhi-node run 启动它。",
        "No node answers at {address} ({reason}). Start it with fazhi-node run.",
    ),
    "unexpected-answer": (
        "{address} 的应答无法理解({reason})。那里运行的是否为本节点?",
        "The answer of {address} makes no sense ({reason}). Is it this node that runs there?",
    ),
    "no-whole-chain": (
        "本节点由状态快照加入,只保存第 {first} 个区块起的链,没有全链的归档。请在保存全链的成员处 export。",
        (
            "This node joined from a snapshot and holds the chain from block {first} on: it has no archive of the "
            "whole. Export at a member that keeps the whole chain."
        ),
    ),
    "archive-cut": (
        "归档在写完之前中断({reason});不完整的 {path} 已删除。请重试。",
        "The archive broke off ({reason}); the unfinished {path} was removed. Try again.",
    ),
    "votes-not-amnesiac": (
        "{path} 中的投票日志没有失忆(从高度 {floor} 起签票),无须担保,未作改动。",
        "The vote log in {path} is not amnesiac (it signs from height {floor} on): nothing was changed.",
    ),
    "officer-card-of-another-chain": (
        "登记卡 {path} 不是为本链所制,或已被改动。请用 fazhi keygen --genesis-hash 重新生成密钥和登记卡。",
        "The card {path} was not made for this chain, or was changed since: fazhi keygen --genesis-hash makes one.",
    ),
    "bad-key": ("“{value}”不是公钥(十六进制)。", "“{value}” is no public key in hexadecimal digits."),
    "role-not-asked": (
        "--role 只用于 member roles;{action} 的角色写在名片上。",
        "--role belongs to member roles; for {action} the roles stand on the card.",
    ),
    "bad-height": ("{value} 不是高度;请给出 1 以上的整数。", "{value} is no height; give an integer from 1 on."),
    "no-chain": ("{path} 中还没有任何区块。", "There is no block in {path} yet."),
    "interrupted": ("已中断。", "Interrupted."),
}

_PLACE = re.compile(r"\{([a-z_]+)\}")
_SAFE = re.compile(rf"[^\S ]|{STEERING.pattern}")


def printable(text: str) -> str:
    """``text`` with controls, line ends and marks that turn the direction of writing escaped: no input can forge a
    line of output.
    """
    return _SAFE.sub(lambda found: found.group().encode("unicode_escape").decode("ascii"), text)


def sentence(code: str, parameters: tuple[Parameter, ...], language: Language) -> str:
    """The sentence of a code; a code without one is shown as it is, with its parameters.

    Two floors may use one code for two things: the first table whose sentence takes the parameters that are there has
    it.
    """
    values = {name: shown(name, value, language, printable) for name, value in parameters}
    index = 0 if language == "zh" else 1
    found = [table[code][index] for table in _tables() if code in table]
    fitting = next((text for text in found if set(_PLACE.findall(text)) <= set(values)), None)
    text = fitting or next(iter(found), None)
    if text is not None:
        return _PLACE.sub(lambda place: values.get(place[1], "?"), text)
    details = ", ".join(f"{name}={value}" for name, value in values.items())
    return f"{code} ({details})" if details else code


def sentence_of(error: FazhiError, language: Language) -> str:
    """The sentence of an error."""
    return sentence(error.code, error.parameters, language)


@functools.cache
def _tables() -> tuple[Mapping[str, tuple[str, str]], ...]:
    """The tables of this floor and those below it; imported when the first sentence is made."""
    from fazhi_contracts.messages import FINDINGS, GENESIS, INVALIDITIES, REFUSALS
    from fazhi_ledger.messages import MESSAGES as LEDGER

    from .gateway.texts import TEXTS as GATEWAY
    from .machine_texts import TEXTS as MACHINE
    from .storage.messages import MESSAGES as STORAGE

    return TEXTS, GATEWAY, MACHINE, STORAGE, INVALIDITIES, REFUSALS, FINDINGS, GENESIS, LEDGER
