"""Sentences for the ledger's codes, ``{code: (Chinese, English)}``; parameters stand in braces. Exported to ``spec/messages.json``.

Verification steps, in order, are under ``step-<name>``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from .errors import Parameter

MESSAGES: Final[dict[str, tuple[str, str]]] = {
    # steps of a record receipt's verification
    "step-format": ("收据格式", "receipt format"),
    "step-genesis": ("创世哈希", "genesis hash"),
    "step-commitments": ("文件、字段与承诺", "files, fields and commitments"),
    "step-record": ("记录属于该次提交", "record is in the submission"),
    "step-signatures": ("提交人签名", "submitters' signatures"),
    "step-submission": ("提交属于该区块", "submission is in the block"),
    "step-result": ("执行结果为已接受", "its result is: accepted"),
    "step-record-result": ("案内序号与发现", "number in the case, findings"),
    "step-history": ("区块属于链的历史", "block is in the chain's history"),
    "step-membership": ("成员沿革至创世", "membership back to the genesis"),
    "step-certificate": ("法定多数成员签署", "signed by a quorum of members"),
    "passed": ("通过", "passed"),
    "failed": ("未通过", "FAILED"),
    "absent": ("无此项", "absent"),
    "not-reached": ("前一步未通过,未核验", "not reached: an earlier step failed"),
    "nothing-disclosed": ("收据未披露任何文件或字段", "the receipt discloses no file or field"),
    "block-is-certified-itself": ("该区块本身已由成员签署", "the block itself is certified"),
    # receipts
    "another-genesis": (
        "收据属于另一条链:其创世哈希与您提供的不同;请将您提供的与成员公布的逐字核对",
        "the receipt is of another chain: its genesis is not the one whose hash you gave; compare that, digit by digit, with what the members published",
    ),
    "another-chain": ("{where}属于另一条链", "the {where} is of another chain"),
    "file-does-not-match": (
        "文件 {file}({bytes} 字节)与收据所载的任何文件都不一致",
        "the file {file} ({bytes} bytes) is none of the files that this receipt records",
    ),
    "another-docket-number": ("案号与链上案件不符", "the docket number is not that of the case on the chain"),
    "submission-was-refused": (
        "该提交已上链但被拒绝({refusal}),记录不成立",
        "the submission is on the chain but was refused ({refusal}): the record does not stand",
    ),
    "not-a-record-submission": ("该提交不是案件记录", "the submission is no record of a case"),
    "openings-unordered": ("披露项未按次序排列或重复", "disclosed values are out of order or repeated"),
    "result-of-another-submission": ("结果属于另一次提交", "the result is that of another submission"),
    "result-of-other-signers": ("结果所载签名人与提交不符", "the result names other signers than the submission"),
    "record-result-of-another-case": ("记录结果属于另一案件", "the record's result is of another case"),
    "handover-after-block": ("成员沿革晚于该区块", "the membership shown begins after the block"),
    "another-validator-set": ("区块由另一组成员签署", "the block names another set of validators"),
    "bad-handover": ("成员交接不成立({what}),高度 {height}", "the hand-over at height {height} does not hold: {what}"),
    "unreadable": ("无法解读({what})", "cannot be read ({what})"),
    "not-verified": ("未核验", "not verified"),
    "unknown-format": ("不是法治联盟链的记录收据", "this is no fazhi record receipt"),
    "unknown-receipt-version": ("收据版本未知,请使用更新的核验程序", "unknown receipt version: use a newer verifier"),
    # strict JSON
    "not-utf8": ("不是 UTF-8 文本", "not UTF-8 text"),
    "malformed-json": ("不是完整的 JSON(文件可能被截断)", "not complete JSON (the file may be cut short)"),
    "duplicate-key": ("JSON 键重复:{key}", "duplicate JSON key: {key}"),
    "not-an-integer": ("不允许的数字:{text}", "a number that is not allowed: {text}"),
    "lone-surrogate": ("含有不成对的代理字符", "contains a lone surrogate"),
    "not-an-object": ("不是 JSON 对象", "not a JSON object"),
    "missing-field": ("缺少字段 {field}", "the field {field} is missing"),
    "bad-field": ("字段 {field} 应为 {expected}", "the field {field} must be {expected}"),
    "unknown-field": ("未知字段 {field}", "unknown field {field}"),
    # canonical bytes
    "too-large": ("{bytes} 字节,超过上限 {limit}", "{bytes} bytes, over the limit of {limit}"),
    "too-deep": ("嵌套超过 {limit} 层", "nested deeper than {limit}"),
    "too-many-values": ("{bytes} 字节中的值超过 {limit} 个", "more than {limit} values in {bytes} bytes"),
    "malformed": ("编码损坏({what})", "malformed encoding ({what})"),
    "not-canonical": ("不是规范编码({what})", "not the canonical encoding ({what})"),
    "bad-shape": ("{what} 应为 {expected}", "{what} must be {expected}"),
    "unknown-version": ("{what} 的版本未知(应为 {expected})", "unknown version of {what} (expected {expected})"),
    "bad-signer-keys": ("签名公钥的数目或次序不对", "wrong number or order of signer keys"),
    "wrong-signature-count": (
        "签名 {signatures} 个,应为 {signer_keys} 个",
        "{signatures} signatures where {signer_keys} keys are named",
    ),
    "bad-record": ("记录有误:{what}", "bad record: {what}"),
    "bad-opening": ("披露项有误", "bad opening"),
    "bad-file-value": ("文件值有误:{what}", "bad file value: {what}"),
    "bad-finding": ("发现的等级未知:{severity}", "unknown severity of a finding: {severity}"),
    "bad-validators": ("成员集合有误:{what}", "bad validator set: {what}"),
    "bad-parameter": ("链参数有误:{what}", "bad chain parameter: {what}"),
    # keys and signatures
    "bad-key-length": ("公钥长度不对({bytes} 字节)", "wrong key length ({bytes} bytes)"),
    "bad-secret-length": ("私钥长度不对", "wrong length of a secret key"),
    "weak-key": ("公钥不可用({reason})", "unusable public key ({reason})"),
    "unknown-suite": ("未知的密码套件 {suite}", "unknown cryptographic suite {suite}"),
    "no-key-file": ("套件 {suite} 尚无密钥文件格式", "suite {suite} has no key file format yet"),
    "empty-passphrase": ("口令为空", "the passphrase is empty"),
    "needs-passphrase": ("密钥文件已加密,需要口令", "the key file is encrypted: a passphrase is needed"),
    "wrong-passphrase": ("口令不对,或密钥文件损坏", "wrong passphrase, or a damaged key file"),
    "not-encrypted": ("密钥文件未加密,却给出了口令", "the key file is not encrypted, yet a passphrase was given"),
    "malformed-key-file": ("密钥文件损坏", "malformed key file"),
    "wrong-key-type": ("密钥类型不对,应为 {expected}", "wrong type of key, expected {expected}"),
    "bad-signature-length": ("签名或公钥长度不对", "wrong length of a signature or key"),
    "weak-point": ("签名或公钥含低阶或非规范点", "a low-order or non-canonical point in a signature or key"),
    "bad-scalar": ("签名标量超出范围", "the signature's scalar is out of range"),
    "bad-signature": ("签名不成立", "the signature does not verify"),
    "bad-submission-signature": (
        "第 {position} 个签名不成立({reason})",
        "signature number {position} does not verify ({reason})",
    ),
    # certificates
    "unknown-certificate-kind": ("未知的签署凭证种类 {kind}", "unknown kind of certificate: {kind}"),
    "unordered-signers": ("签署人未按次序排列或重复", "signers are out of order or repeated"),
    "unknown-signer": ("签署人 {signer} 不在成员集合中", "signer {signer} is not in the validator set"),
    "no-quorum": (
        "仅 {signers} 名成员签署,法定多数为 {quorum} 名",
        "only {signers} members signed, a quorum is {quorum}",
    ),
    "bad-commit-signature": ("成员 {member} 的签署不成立", "the commit signature of {member} does not verify"),
    "certificate-of-another-block": ("签署凭证属于另一区块", "the certificate is of another block"),
    # proofs
    "bad-frontier": ("默克尔前沿有误", "malformed Merkle frontier"),
    "bad-page": ("状态树页有误", "malformed page of the state tree"),
    "hash-length": ("证明中的哈希长度不对", "wrong length of a hash in the proof"),
    "index-out-of-range": ("证明的序号超出范围", "the proof's index is out of range"),
    "size-out-of-range": ("证明的规模超出范围", "the proof's size is out of range"),
    "proof-length": ("证明的长度不对", "wrong length of the proof"),
    "proof-too-deep": ("证明过深", "the proof is too deep"),
    "root-mismatch": ("证明不通向所示的根", "the proof does not lead to the root"),
    "empty-last-sibling": ("状态证明形状不对", "wrong shape of the state proof"),
    "terminal-elsewhere": ("不存在证明指向别处", "the absence proof ends elsewhere"),
    "terminal-is-the-key": ("不存在证明中出现了该键", "the absence proof ends at the very key"),
    "unexpected-terminal": ("存在证明中有多余的终端", "the presence proof carries a terminal"),
    # genesis
    "unknown-engine": ("创世指明的共识引擎未知", "unknown engine in the genesis"),
    "other-protocol": (
        "这条链按协议版本 {found} 执行,本软件按版本 {known}:请使用建立这条链时的软件版本",
        "this chain is executed by protocol {found}, this software by protocol {known}: use the release that it was begun with",
    ),
    "unsorted-rule-sets": ("创世的规则集未排序", "rule sets of the genesis are not sorted"),
    "key-stands-twice": ("同一公钥出现两次", "a key stands twice"),
    "member-is-a-unit": (
        "{org} 是下属单位,不能作为成员",
        "{org} is a unit below an organisation and cannot be a member",
    ),
    "possession-not-proven": (
        "{org} 的密钥 {key} 未证明持有({reason})",
        "possession of the key {key} of {org} is not proven ({reason})",
    ),
    "officer-of-unknown-org": ("人员属于未知单位 {org}", "an officer belongs to the unknown organisation {org}"),
    "wrong-rule-set": ("创世文件的规则集与创世不符", "a rule set of the genesis file is not the one the genesis names"),
    "wrong-certificate": (
        "创世文件的证书与创世不符",
        "a certificate of the genesis file is not the one the genesis names",
    ),
    # blocks and archives
    "wrong-header-field": (
        "高度 {height} 的区块头字段 {field} 不符",
        "header field {field} at height {height} is wrong",
    ),
    "not-an-archive": ("不是法治联盟链的归档文件", "this is no fazhi archive"),
    "archive-frame-too-large": ("归档帧过大", "a frame of the archive is too large"),
    "archive-cut-short": ("归档文件被截断", "the archive was cut short"),
    "archive-has-more": ("归档结束后还有内容", "there is more after the archive's end"),
}


_PLACE: Final = re.compile(r"\{([a-z_]+)\}")


def printable(text: str) -> str:
    """``text`` without what could steer a terminal or a log, or be there unseen: controls, marks that turn the direction
    of writing, characters without width and line breaks become ``·``."""
    return STEERING.sub("·", text)


STEERING: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164"
    "\ud800-\udfff\ufeff\uffa0\ufff0-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e00ff\U000e01f0-\U000e0fff]"
)
"""Controls, surrogates, and what Unicode says to ignore in display (Default_Ignorable_Code_Point) but for the selectors
of a character's variant."""


def sentence(
    tables: Iterable[Mapping[str, tuple[str, str]]], code: str, parameters: Iterable[Parameter], lang: str
) -> str:
    """The sentence of ``code`` in ``lang`` ("zh" or "en") out of the first table that has it; the bare code where none does.

    Parameters that the sentence does not name are not shown; text is shown with control characters replaced, a span of
    time (``…_ms``, but ``…time_ms`` and ``…until_ms``) as :func:`duration`.
    """
    values = {name: shown(name, value, lang) for name, value in parameters}
    for table in tables:
        pair = table.get(code)
        if pair is not None:
            return _PLACE.sub(lambda match: values.get(match[1], match[0]), pair[0 if lang == "zh" else 1])
    details = " ".join(f"{name}={value}" for name, value in values.items())
    return f"{code} {details}".rstrip()


def shown(name: str, value: str | int, lang: str, escape: Callable[[str], str] = printable) -> str:
    """A parameter as sentences show it."""
    if isinstance(value, int) and name.endswith("_ms") and not name.endswith(("time_ms", "until_ms")):
        return duration(value, lang)
    return escape(str(value))


_UNITS: Final = (
    (86_400_000, " 天", " d"),
    (3_600_000, " 小时", " h"),
    (60_000, " 分钟", " min"),
    (1000, " 秒", " s"),
    (1, " 毫秒", " ms"),
)


def duration(span_ms: int, lang: str) -> str:
    """A span of time in its two leading units, rounded down: ``2 天 3 小时``, ``2 d 3 h``."""
    rest = abs(span_ms)
    first = next((place for place, (unit, _, _) in enumerate(_UNITS) if rest >= unit), len(_UNITS) - 1)
    parts: list[str] = []
    for unit, zh, en in _UNITS[first : first + 2]:
        count, rest = divmod(rest, unit)
        if count or not parts:  # "2 d", not "2 d 0 h"
            parts.append(f"{count}{zh if lang == 'zh' else en}")
    return ("-" if span_ms < 0 else "") + " ".join(parts)
