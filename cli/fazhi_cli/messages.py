"""Sentences and help of the command ``fazhi``, ``{code: (中文, English)}``. Braces name parameters."""

from __future__ import annotations

from typing import Final

from fazhi_ledger import messages as ledger_messages
from fazhi_ledger.errors import FazhiError

from .language import Language, Pair

HELP: Final[dict[str, Pair]] = {
    # the parser's own words
    "usage": ("用法: ", "usage: "),
    "arguments": ("参数", "arguments"),
    "options": ("选项", "options"),
    "commands": ("命令", "commands"),
    "command": ("命令", "COMMAND"),
    "help": ("显示此帮助并退出", "show this help and exit"),
    "lang": ("输出语言:zh 或 en(默认随系统)", "language of the output: zh or en (default: the system's)"),
    "version": ("显示版本并退出", "show the version and exit"),
    "json": ("结果以 JSON 写到标准输出,说明写到标准错误", "the outcome as JSON on stdout, prose on stderr"),
    "genesis-hash": (
        "创世哈希(64 位十六进制),须从链外可信途径取得",
        "hash of the genesis (64 hex digits), obtained out of band from someone you trust",
    ),
    "about": (
        "法治联盟链:核验收据、审计整条链、办理案件。退出码:0 成立,1 不成立,2 用法有误,3 无法判定。",
        "The enforcement ledger 法治联盟链: verify receipts, audit a chain, record cases. Exit codes: 0 valid, 1 not valid, 2 usage, 3 could not decide.",
    ),
    # verify
    "verify": ("离线核验一份收据及其文件", "verify a receipt and its files, offline"),
    "verify-about": (
        "离线核验:文件、记录、签名、区块与成员沿革逐步重算,只信任您给出的创世哈希。证明的是上链后一致,不是内容属实。",
        "Offline: file, record, signatures, block and membership are recomputed step by step; the only thing trusted is the genesis hash that you give. It shows that the content is unchanged since it was recorded, not that it is true.",
    ),
    "verify-receipt": ("收据文件(.json)", "the receipt (.json)"),
    "verify-file": ("要比对的文件,可重复", "a file to compare, may be repeated"),
    # keygen
    "keygen": ("生成人员或设备的签名密钥", "make a signing key for an officer or a device"),
    "keygen-about": (
        "生成一个加密保存的签名密钥并打印公钥;给出 --org 和 --role 时,另写一张证明持有该密钥的登记卡(.card)。",
        "Make a signing key in an encrypted file and print its public key; with --org and --role also a card (.card) that proves possession and asks for registration.",
    ),
    "keygen-file": ("密钥文件(不会覆盖已有文件)", "the key file (nothing is overwritten)"),
    "keygen-org": ("单位代号,例如 zfj", "organisation id, such as zfj"),
    "keygen-role": (
        "角色,可重复,例如 officer、head、reviewer",
        "role, may be repeated, such as officer, head, reviewer",
    ),
    "keygen-genesis": (
        "登记卡用于已运行的链:其创世哈希(默认:用于创世)",
        "the card is for a running chain: its genesis hash (default: for a genesis)",
    ),
    "no-passphrase": ("不加密(仅用于试验)", "do not encrypt (tests only)"),
    "passphrase-file": (
        "口令文件(取第一行;也可用环境变量 {variable})",
        "file whose first line is the passphrase (or the variable {variable})",
    ),
    "ask-passphrase": ("{path} 的口令: ", "passphrase of {path}: "),
    "ask-passphrase-new": ("新密钥的口令: ", "passphrase of the new key: "),
    "ask-again": ("再输入一次: ", "once more: "),
}

ROLES: Final[dict[str, Pair]] = {
    "officer": ("执法人员", "officer"),
    "head": ("负责人", "head"),
    "reviewer": ("法制审核人员", "legal reviewer"),
    "member": ("成员单位", "member"),
    "notary": ("公证员", "notary"),
    "supervisor": ("执法监督人员", "supervisor"),
    "clerk": ("书记员", "clerk"),
    "judge": ("审判人员", "judge"),
}

VERIFY: Final[dict[str, Pair]] = {
    "valid": ("上链后一致  VALID", "VALID  unchanged since it was recorded (上链后一致)"),
    "invalid": ("不一致  INVALID", "INVALID  (不一致)"),
    "failed-at": ("第 {number} 步“{step}”未通过:", "step {number} “{step}” failed: "),
    "file": ("{name} · {bytes} 字节 · {digests}", "{name} · {bytes} bytes · {digests}"),
    "no-file-given": ("未提供文件,只核验了记录", "no file was given: only the record was verified"),
    "undisclosed": ("(未披露案号)", "(docket number not disclosed)"),
    "case": (
        "案件 {number} · {step}(案内第 {place} 条) · 记录单位 {org}",
        "case {number} · {step} (entry {place} of the case) · recorded by {org}",
    ),
    "signers": ("签署 {count} 人: {signers}", "signed by {count}: {signers}"),
    "signer": ("{roles} 密钥 {key}", "{roles} key {key}"),
    "occurred": ("发生时间(签署人声明) {time}", "happened at (stated by the signers) {time}"),
    "claimed": ("签署时间(设备声明) {time}", "signed at (stated by the device) {time}"),
    "block-time": (
        "入链时间(区块,成员共识) {time},高度 {height}",
        "recorded at (block, agreed by the members) {time}, height {height}",
    ),
    "members": (
        "签署区块的成员 {members} ({signed}/{all};其中非当事方: {others})",
        "members who signed the block: {members} ({signed} of {all}; not a party: {others})",
    ),
    "anchored": (",签署的是历史中含此区块的高度 {height}", ", at height {height}, whose history holds this block"),
    "nobody": ("无", "none"),
    "fields": ("载明 {fields}", "states {fields}"),
    "file-not-given": (
        "另载文件 {field}(未提供,未比对) · {bytes} 字节 · {kind} · {digests}",
        "also holds {field} (not given, not compared) · {bytes} bytes · {kind} · {digests}",
    ),
    "no-findings": ("发现 无", "findings: none"),
    "findings": ("发现 {count} 条", "findings: {count}"),
    "not-reached": ("未核验", "not reached"),
    "semicolon": (";", "; "),
    "not-proven": ("未证明: ", "Not proven: "),
    "files-not-given": ("未提供的文件是否一致", "whether the files that were not given are the same"),
    "content-truth": ("内容是否属实", "whether the content is true"),
    "before-chain": ("上链之前是否被改动", "whether it was altered before it was recorded"),
    "declared-times": ("所声明的发生时间和签署时间", "the stated times of the event and of signing"),
    "whole-case": ("本案是否另有其他记录", "whether the case has other records"),
    "old-keys": (
        "历届成员中任何一届达到法定多数的密钥(含已停用的)未曾落入同一人之手",
        "that no quorum of keys of one membership, retired ones included, ever fell into one hand",
    ),
    "genesis": ("创世哈希 {hash} (由您提供)", "genesis hash {hash} (given by you)"),
}

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

MESSAGES: Final[dict[str, Pair]] = {
    "command-line": ("{what}。用法见 {command} --help", "{what}. See {command} --help"),
    "bad-hash": ("{option} 应为 64 位十六进制数,不是“{value}”", "{option} takes 64 hex digits, not “{value}”"),
    "input-missing": ("找不到文件“{path}”", "there is no file “{path}”"),
    "input-directory": ("“{path}”是文件夹,不是文件", "“{path}” is a folder, not a file"),
    "input-not-a-file": ("“{path}”不是普通文件", "“{path}” is no regular file"),
    "input-unreadable": ("无法读取“{path}”:{reason}", "“{path}” cannot be read: {reason}"),
    "file-exists": ("“{path}”已经存在,未作改动", "“{path}” exists already and was left alone"),
    "no-folder": ("没有文件夹“{path}”", "there is no folder “{path}”"),
    "org-and-roles": (
        "--org 与 --role 须一并给出(登记卡需要两者)",
        "--org and --role go together (the card needs both)",
    ),
    "bad-org": (
        "“{org}”不是单位代号:应为小写字母、数字和 -",
        "“{org}” is no organisation id: lower-case letters, digits and -",
    ),
    "bad-role": (
        "“{role}”不是角色代号:应为小写字母、数字和 _",
        "“{role}” is no role: lower-case letters, digits and _",
    ),
    "no-passphrase": (
        "缺少口令:请用 --passphrase-file 或环境变量 {variable} 给出",
        "a passphrase is needed: use --passphrase-file or the variable {variable}",
    ),
    "passphrase-too-short": ("口令至少 {minimum} 字节", "the passphrase needs at least {minimum} bytes"),
    "passphrases-differ": ("两次输入的口令不同", "the two passphrases differ"),
    "algorithm-missing": (
        "无法判定:本机不能计算收据所用的摘要算法 {algorithm}",
        "could not decide: this machine cannot compute {algorithm}, which the receipt uses",
    ),
    "suite-missing": (
        "无法判定:本程序不支持该链的密码套件 {suite},请用支持它的核验程序",
        "could not decide: this program lacks the chain's cryptographic suite {suite}; use a verifier that has it",
    ),
}


def complaint(error: FazhiError, language: Language) -> str:
    """One line for stderr: what went wrong, in the user's language."""
    in_language = getattr(error, "in_language", None)  # an SDK error knows its sentence, and what is recorded
    if in_language is not None:
        text = ledger_messages.printable(in_language(language))
    else:
        tables = (MESSAGES, _sdk_sentences(), ledger_messages.MESSAGES)
        text = ledger_messages.sentence(tables, error.code, error.parameters, language)
    return f"fazhi: {text}"


def _sdk_sentences() -> dict[str, Pair]:
    """What happened, of the SDK's errors that a command has turned into its own."""
    import sys

    loaded = sys.modules.get("fazhi_sdk.messages")
    if loaded is None:
        return {}
    return {code: happened for code, (happened, _) in loaded.SENTENCES.items()}
