"""Sentences of the SDK's errors: what happened, whether anything was recorded, what to do; in Chinese and in English.

Errors carry a code and parameters (:mod:`fazhi_sdk.errors`); this is the edge where they become prose. ``{name}`` stands for a parameter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Final

from fazhi_ledger import messages as ledger_messages
from fazhi_ledger.errors import Parameter

Pair = tuple[str, str]
"""(中文, English)."""


class Outcome(Enum):
    """What an error says about the chain."""

    NOTHING = "nothing"
    """Nothing left this process."""
    KEPT = "kept"
    """Durable in the outbox; it will be delivered once, and may have been if a connection broke off late."""
    UNKNOWN = "unknown"
    """It left this process and the answer is missing; sending it again is safe."""
    REFUSAL = "refusal"
    """Recorded as a refusal: no step was recorded."""
    RECORDED = "recorded"
    """On the chain; what failed came after."""
    READ = "read"
    """A question was asked; nothing was to be recorded."""


OUTCOMES: Final[dict[Outcome, Pair]] = {
    Outcome.NOTHING: ("没有记录任何内容", "nothing was recorded"),
    Outcome.KEPT: ("内容已保存在发件箱,会恰好送达一次", "it is safe in the outbox and will be delivered exactly once"),
    Outcome.UNKNOWN: (
        "可能已上链;发件箱会继续送达这一份,不会重复记录(重新起草的则是另一条记录)",
        "it may be on the chain; the outbox goes on delivering this one and never twice (a new draft is another record)",
    ),
    Outcome.REFUSAL: ("未记录任何步骤,仅记录了这次拒绝", "no step was recorded, only this refusal"),
    Outcome.RECORDED: ("内容已上链", "it is on the chain"),
    Outcome.READ: ("未涉及任何记录", "nothing was to be recorded"),
}

# code -> what happened, what to do
SENTENCES: Final[dict[str, tuple[Pair, Pair]]] = {
    # sealing
    "file-missing": (
        ("找不到文件“{path}”", "there is no file “{path}”"),
        ("请检查路径", "check the path"),
    ),
    "file-is-directory": (
        ("“{path}”是文件夹,不是文件", "“{path}” is a folder, not a file"),
        ("请逐个列出其中的文件,或先打包", "name the files in it, or pack them first"),
    ),
    "file-is-pipe": (
        ("“{path}”是管道,只能读一次,无法成为证据原件", "“{path}” is a pipe: it can be read once and never be checked"),
        ("请先存为文件", "store it as a file first"),
    ),
    "file-is-socket": (
        ("“{path}”是套接字,不是文件", "“{path}” is a socket, not a file"),
        ("请先存为文件", "store it as a file first"),
    ),
    "file-is-device": (
        ("“{path}”是设备,不是文件", "“{path}” is a device, not a file"),
        ("请先制作镜像文件", "make an image file of it first"),
    ),
    "file-unreadable": (
        ("无法读取“{path}”:{reason}", "“{path}” cannot be read: {reason}"),
        ("请检查权限和存储介质后重试", "check permissions and the medium, then seal it again"),
    ),
    "file-vanished": (
        ("文件“{path}”在固定过程中消失", "“{path}” vanished while it was being sealed"),
        ("请确认存储介质在位后重试", "make sure that the medium stays, then seal it again"),
    ),
    "file-replaced": (
        ("文件“{path}”在固定过程中被另一个文件替换", "“{path}” was replaced by another file while it was being sealed"),
        ("请等写入完成后重试", "wait until writing has ended, then seal it again"),
    ),
    "file-changed": (
        ("文件“{path}”在固定过程中被改动({what})", "“{path}” changed while it was being sealed ({what})"),
        ("请等写入完成后重试", "wait until writing has ended, then seal it again"),
    ),
    "unknown-algorithm": (
        ("不支持摘要算法“{algorithm}”", "there is no digest algorithm “{algorithm}” here"),
        ("可用:sha256、sm3", "use sha256 or sm3"),
    ),
    # what a caller hands over
    "bad-number": (
        ("案号“{number}”不可用:{reason}", "“{number}” cannot be a docket number: {reason}"),
        ("请改正案号", "correct the number"),
    ),
    "bad-field": (
        ("字段“{field}”不可用:{reason}", "the field “{field}” cannot stand: {reason}"),
        ("请改正该字段", "correct the field"),
    ),
    "bad-time": (
        ("发生时间不可用:{reason}", "the time cannot stand: {reason}"),
        ("请给出带时区的时间,或毫秒整数", "give a time with its zone, or an integer of milliseconds"),
    ),
    "looks-personal": (
        ("明文字段“{field}”看似个人信息({kind_zh})", "the clear field “{field}” looks like personal data ({kind_en})"),
        (
            "明文会永久上链:请改放在 fields 中(加盐承诺),或改用内部编号",
            "clear values stand on the chain for ever: put it into fields, which are committed under a salt, or use an internal number",
        ),
    ),
    "no-destruction": (
        (
            "这不是本链上盐值销毁(SALTGONE)的收据({step}),或未指明记录",
            "this is no receipt of a destruction of salts (SALTGONE) on this chain ({step}), or it refers to no record",
        ),
        (
            "请先记录 SALTGONE,并以 refs 指明要销毁的提交",
            "record SALTGONE first, with refs to the submissions concerned",
        ),
    ),
    "destruction-breached": (
        (
            "该销毁记录本身有严重不规范({finding})",
            "the record of the destruction is itself gravely irregular ({finding})",
        ),
        ("请改正后重新审批并记录", "set it right, have it approved and record it again"),
    ),
    "legal-hold": (
        (
            "案件正在保全(案内第 {number} 条),不得销毁",
            "the case is under a legal hold (its record {number}): nothing may be destroyed",
        ),
        ("解除保全(HOLDEND)之后再销毁", "destroy it once the hold was released (HOLDEND)"),
    ),
    "bad-key-file": (
        ("无法读取密钥文件“{path}”:{reason}", "the key file “{path}” cannot be read: {reason}"),
        ("请检查路径和权限", "check path and permissions"),
    ),
    "file-exists": (
        ("“{path}”已存在", "“{path}” exists already"),
        ("请换一个文件名", "choose another name"),
    ),
    "bad-digest": (
        ("“{given}”不是 32 字节的哈希", "“{given}” is no hash of 32 bytes"),
        ("请给出 64 位十六进制数", "give 64 hexadecimal digits"),
    ),
    "unknown-procedure": (
        ("链上没有安装程序“{procedure}”", "no procedure “{procedure}” is installed on the chain"),
        ("创世安装的有:{known}", "the genesis installs: {known}"),
    ),
    "no-signer": (
        ("没有给出签名人", "no signer is given"),
        (
            "chain.case(…, signer=…) 或 draft(…, signer=…)",
            "give one with chain.case(…, signer=…) or draft(…, signer=…)",
        ),
    ),
    "wrong-chain": (
        ("草稿属于另一条链({genesis})", "the draft is of another chain ({genesis})"),
        ("请连接到草稿所属的链", "connect to the chain that it was drafted for"),
    ),
    "file-not-in-draft": (
        ("文件“{path}”不是草稿所固定的任何文件", "the file “{path}” is none of those that the draft seals"),
        ("不要签名;请向起草人核对", "do not sign; ask the officer who drafted it"),
    ),
    "unknown-org": (
        ("不知道密钥 {key} 属于哪个单位", "it is not known which organisation the key {key} belongs to"),
        ("请给出 org=,或确认该密钥已登记", "name it with org=, or have the key registered"),
    ),
    # drafts
    "bad-draft-file": (
        ("草稿文件“{path}”不可用:{reason}", "“{path}” is not a whole draft: {reason}"),
        ("请重新传送或重新制作草稿", "transfer it again, or make the draft again"),
    ),
    "draft-frozen": (
        (
            "草稿已由 {key} 签名,不能再增加签名人",
            "the draft is signed already by {key}: no further signer can be added",
        ),
        ("起草时用 cosigners= 列明全部签名人", "name all signers with cosigners= when drafting"),
    ),
    "already-signed": (
        ("密钥 {key} 已在签名人之列并已签名", "the key {key} has signed this draft already"),
        ("请由另一名执法人员签名", "let the other officer sign"),
    ),
    "signature-missing": (
        ("草稿还缺 {count} 个签名({key} 等)", "the draft still lacks {count} signature(s), of {key} first"),
        ("请由该密钥的持有人 cosign 后再提交", "have the holder of that key cosign, then submit"),
    ),
    "draft-unbound": (
        ("草稿没有连接到链", "the draft is bound to no chain"),
        ("请用 chain.submit(draft),或 Draft.load(path, chain)", "use chain.submit(draft), or Draft.load(path, chain)"),
    ),
    "too-many-drafts": (
        ("密钥 {key} 已有 {count} 份草稿在等待会签", "{count} drafts of the key {key} are waiting for a cosignature"),
        ("请先提交或放弃其中一些", "submit or abandon some of them first"),
    ),
    # outbox
    "outbox-in-use": (
        ("发件箱“{path}”正被另一个进程使用", "the outbox “{path}” is in use by another process"),
        ("请等它结束,或为每个进程使用各自的发件箱", "wait for it to end, or give each process an outbox of its own"),
    ),
    "outbox-other-chain": (
        ("发件箱“{path}”属于另一条链({genesis})", "the outbox “{path}” belongs to another chain ({genesis})"),
        ("请换一个发件箱文件", "use another outbox file"),
    ),
    "outbox-damaged": (
        ("发件箱“{path}”损坏或不是发件箱:{reason}", "“{path}” is damaged or no outbox: {reason}"),
        (
            "请保留原文件并从备份恢复;其中的盐值无法重新生成",
            "keep the file and restore a backup: the salts in it cannot be made again",
        ),
    ),
    "outbox-disk": (
        ("发件箱“{path}”无法写盘:{reason}", "the outbox “{path}” cannot be written: {reason}"),
        ("请检查磁盘空间和权限后重试", "check disk space and permissions, then try again"),
    ),
    # the way to the chain
    "not-connected": (
        (
            "目前无法连接任何网关({count} 个均失败;最后一次:{reason})",
            "none of {count} gateways can be reached now (the last: {reason})",
        ),
        ("稍后 chain.flush(),或由下一个进程送达", "chain.flush() later, or the next process delivers it"),
    ),
    "not-decided": (
        ("在 {seconds} 秒内没有收到共识结果", "no decision came within {seconds} s"),
        ("稍后 chain.flush() 取回结果", "chain.flush() later to fetch the result"),
    ),
    "too-busy": (
        ("网关繁忙,要求 {seconds} 秒后再试", "the gateways are busy and ask for {seconds} s"),
        ("稍后 chain.flush()", "chain.flush() later"),
    ),
    "wrong-genesis": (
        (
            "{url} 给出的创世哈希是 {found},不是您指定的 {expected}",
            "{url} serves the genesis {found}, not {expected} as you named it",
        ),
        ("请核对创世哈希和网址:这可能是另一条链", "check the hash and the address: this may be another chain"),
    ),
    "bad-url": (
        ("网址“{url}”不可用:{reason}", "“{url}” cannot be used: {reason}"),
        ("使用 https://主机:端口;http:// 仅限本机回环地址", "use https://host:port; http:// serves loopback only"),
    ),
    "bad-answer": (
        ("{url} 的回答不可用:{reason}", "the answer of {url} cannot be used: {reason}"),
        ("请换一个网关并报告运维人员", "use another gateway and tell its operator"),
    ),
    "no-such-event": (
        ("案件只有 {events} 条记录,没有第 {number} 条", "the case has {events} events, and no event {number}"),
        ("through 从 1 数起", "through counts from 1"),
    ),
    "incomplete-list": (
        (
            "{url} 的案件列表在第 {after} 号之后有缺漏",
            "the list of cases of {url} leaves something out behind serial {after}",
        ),
        ("请换一个网关", "use another gateway"),
    ),
    "stale-answer": (
        (
            "{url} 的回答停留在高度 {height},早于已见过的 {newest}",
            "the answer of {url} is as of height {height}, older than {newest} seen before",
        ),
        ("稍后重试或换一个网关", "try again shortly, or another gateway"),
    ),
    "not-authorised": (
        ("{url} 要求访问令牌,或不认所给的令牌", "{url} asks for an access token, or does not know the one given"),
        (
            "用 Chain.connect(…, token={网址: 令牌}) 给出;令牌由该节点的运维人员发放(其 keys/read-tokens)",
            "give it with Chain.connect(…, token={url: token}); that node's operator hands it out (its keys/read-tokens)",
        ),
    ),
    "proof-failed": (
        ("{url} 给出的证明不成立:{reason}", "the proof given by {url} does not hold: {reason}"),
        (
            "不要采信该网关;请换一个网关并保留此信息",
            "do not believe that gateway; use another one and keep this message",
        ),
    ),
    "receipt-failed": (
        ("收据未通过核验,未交出:{reason}", "the receipt did not verify and was not handed over: {reason}"),
        ("换一个网关后用 chain.receipt() 重取", "fetch it with chain.receipt() from another gateway"),
    ),
    "conflict": (
        ("序号 {seq} 已被同一通道的另一份内容使用", "another body has used seq {seq} of this lane"),
        (
            "发件箱可能是从旧备份恢复的:pending.resign(…) 以新序号重新签名",
            "the outbox may be an old copy: pending.resign(…) signs it again under a new seq",
        ),
    ),
    "expired": (
        ("有效期已过,链上时间已晚于 valid_until", "certified time has passed valid_until and the seq is unused"),
        ("pending.resign(…) 重新签名后提交", "pending.resign(…) signs it again"),
    ),
    "invalid": (
        (
            "网关判定内容无效({reason}),不会进入任何区块",
            "the gateway holds it invalid ({reason}); it will not enter a block",
        ),
        ("请按原因处理后用 pending.resign(…) 重新签名", "mend the cause, then pending.resign(…)"),
    ),
    "refused": (
        ("合约拒绝:{reason}", "the contract refuses it: {reason}"),
        ("请按原因改正后重新提交", "correct the cause and submit again"),
    ),
    "unknown-submission": (
        ("发件箱中没有所说的记录 {id}", "the outbox does not hold the record named, {id}"),
        (
            "请核对编号;也许记录时用的是另一个发件箱(--outbox)",
            "check the id; it may have been filed with another outbox (--outbox)",
        ),
    ),
    "unknown-case": (
        (
            "链上没有案件“{number}”(高度 {height} 的不存在证明已核验)",
            "there is no case “{number}” (proof of absence at height {height} verified)",
        ),
        ("请核对单位、程序和案号,或先 open_case", "check organisation, procedure and number, or open_case first"),
    ),
    "salts-elsewhere": (
        ("此记录的盐值不在这个发件箱中", "the salts of this record are not in this outbox"),
        ("请用起草时的发件箱", "use the outbox it was drafted with"),
    ),
    # devnet and tests
    "devnet-no-node": (
        ("找不到命令 fazhi-node", "the command fazhi-node is not to be found"),
        ("请先安装 fazhi-node 发行包", "install the distribution fazhi-node first"),
    ),
    "devnet-failed": (
        ("节点 {node} 未能启动:{reason}", "the node {node} did not start: {reason}"),
        ("请查看其日志 {log}", "read its log {log}"),
    ),
    "devnet-exists": (
        ("“{path}”中已有网络", "there is a network already in “{path}”"),
        ("先 down,或换一个文件夹", "take it down first, or use another folder"),
    ),
    "devnet-none": (
        ("“{path}”中没有网络", "there is no network in “{path}”"),
        ("先 up", "bring one up first"),
    ),
    "unknown-error": (
        ("发生错误({details})", "an error happened ({details})"),
        ("请把此信息交给运维人员", "hand this message to the operator"),
    ),
}

_HAPPENED: Final = {code: happened for code, (happened, _) in SENTENCES.items()}
_TODO: Final = {code: todo for code, (_, todo) in SENTENCES.items()}

FALLBACK: Final = "unknown-error"

_ASK_AGAIN: Final[Pair] = ("请检查网址和网络,稍后重试", "check the addresses and the network, then ask again")
_TODO_OF_READS: Final = {"not-connected": _ASK_AGAIN, "too-busy": _ASK_AGAIN}


def todos_of(outcome: Outcome) -> dict[str, Pair]:
    """What to do, by code, that goes before the words of any other table: where a question found no answer there is
    nothing to deliver later."""
    return _TODO_OF_READS if outcome is Outcome.READ else {}


def sentence(code: str, parameters: Iterable[Parameter], outcome: Outcome, what: Pair | None = None) -> Pair:
    """The whole sentence of an error in both languages: what happened; whether anything was recorded; what to do.

    ``what`` replaces the table's first part (a contract's own words for a refusal).
    """
    known = code if code in SENTENCES else FALLBACK
    values = tuple(parameters)
    if known == FALLBACK:
        values = (("details", " ".join([code, *(f"{name}={value}" for name, value in values)])),)
    if what is None:
        what = _both(_HAPPENED, known, values)
    todo = _both({**_TODO, **todos_of(outcome)}, known, values)
    recorded = OUTCOMES[outcome]
    return f"{what[0]};{recorded[0]};{todo[0]}", f"{what[1]}; {recorded[1]}; {todo[1]}"


def _both(table: Mapping[str, Pair], code: str, parameters: tuple[Parameter, ...]) -> Pair:
    zh, en = (ledger_messages.sentence((table,), code, parameters, language) for language in ("zh", "en"))
    return zh, en
