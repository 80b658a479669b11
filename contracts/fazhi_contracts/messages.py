"""Sentences for codes, in Chinese and English: ``{code: (zh, en)}``. The chain carries codes and parameters only;
these are made at the edge.

Braces name parameters. Names of steps, documents and values come from the rule set, not from here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from fazhi_ledger.errors import Parameter
from fazhi_ledger.messages import sentence

Sentences = Mapping[str, tuple[str, str]]

REFUSALS: Final[Sentences] = {
    "OK": ("已接受。", "Accepted."),
    "unknown-action": ("没有名为 {contract}.{action} 的操作。", "There is no action {contract}.{action}."),
    "bad-args": ("操作参数不符合格式：{what}。", "The arguments of the action are malformed: {what}."),
    "unknown-procedure": (
        "程序 {procedure} 没有已安装的规则集。",
        "No rule set is installed for the procedure {procedure}.",
    ),
    "no-rules-then": (
        "{date} 时程序 {procedure} 尚无已安装的规则集（最早自 {first} 起）；请先表决安装当时有效的规则集。",
        "No rule set of the procedure {procedure} states the law of {date} (the earliest begins on {first}); have the one of that day voted first.",
    ),
    "unknown-step": ("规则集中没有步骤 {step}。", "The rule set has no step {step}."),
    "unknown-case": (
        "案件尚不存在，步骤 {step} 不能立为首条记录（请核对案号、程序与立案单位）。",
        "There is no such case, and the step {step} does not open one (check number, procedure and who opened it).",
    ),
    "case-exists": (
        "该案号的案件已经存在（区块高度 {opened_height}），不能再次建立。",
        "A case of this number already exists (opened at height {opened_height}) and cannot be opened again.",
    ),
    "case-closed": (
        "案件已由步骤 {closed_by} 办结，不能再记录步骤 {step}。",
        "The case was closed by the step {closed_by}; the step {step} can no longer be recorded.",
    ),
    "wrong-procedure": (
        "案件适用的程序是 {expected}，不是 {procedure}。",
        "The case follows the procedure {expected}, not {procedure}.",
    ),
    "wrong-org": (
        "{org} 的密钥不能在 {case_org} 的案件中记录。",
        "A key of {org} cannot record in a case of {case_org}.",
    ),
    "wrong-standing": (
        "步骤 {step} 不是签署单位可以记录的；可以记录的是：{orgs}（own：案件所属单位；其余：具有该角色的其他成员）。",
        "The step {step} is not the signing organisation's to record, but that of: {orgs} (own: the organisation whose case it is; else another member with that role).",
    ),
    "impossible-step": (
        "步骤 {step} 须在 {requires} 之后，现在不可能发生。",
        "The step {step} is impossible before {requires}.",
    ),
    "role-not-allowed": (
        "步骤 {step} 须由具有角色 {roles} 的人员签署。",
        "The step {step} must be signed by somebody with the role {roles}.",
    ),
    "attestation-short": (
        "步骤 {step} 须由 {required} 人共同签署，实有 {found} 人；不足的不予记入。",
        "The step {step} counts only where {required} sign it together; {found} did.",
    ),
    "unknown-clear-field": ("步骤 {step} 没有公开字段 {field}。", "The step {step} has no clear field {field}."),
    "unknown-clear-value": (
        "步骤 {step} 的公开字段 {field} 不接受值 {value}。",
        "The clear field {field} of the step {step} does not take the value {value}.",
    ),
    "missing-clear-field": (
        "步骤 {step} 必须写明公开字段 {field}。",
        "The step {step} must state the clear field {field}.",
    ),
    "tally-short": (
        "{tally} 不足：现为 {stands_at}，本次须减 {asked}。",
        "There is too little of {tally}: it stands at {stands_at}, and {asked} were to be taken off.",
    ),
    "tally-full": ("{tally} 已达上限 {limit}。", "{tally} would exceed the limit of {limit}."),
    "void-not-at-seq": (
        "作废须从本提交自己的序号 {seq} 开始，而不是 {first}。",
        "A void begins at the submission's own seq {seq}, not at {first}.",
    ),
    "void-backwards": ("作废区间颠倒：{first} 至 {last}。", "The voided range runs backwards: {first} to {last}."),
    "void-too-wide": (
        "一次作废 {width} 个序号，超过上限 {limit}。",
        "A void of {width} seqs exceeds the limit of {limit}.",
    ),
    "member-key-needed": ("此操作须由成员单位的账本密钥签署。", "This action must be signed by a member's ledger key."),
    "not-of-your-org": ("{org} 不属于签署的成员单位。", "{org} does not belong to the member that signs."),
    "unknown-org": ("单位 {org} 未登记。", "The organisation {org} is not registered."),
    "org-known": ("单位 {org} 已登记。", "The organisation {org} is registered already."),
    "not-a-unit": (
        "{org} 不是下属单位的写法（成员.单位）；成员单位只能经表决加入。",
        "{org} is not a unit (member.unit); members join by vote only.",
    ),
    "no-roles": ("密钥至少须有一个角色。", "A key needs at least one role."),
    "reserved-role": ("角色 {role} 是保留的。", "The role {role} is reserved."),
    "key-known": (
        "该密钥已登记过；一个密钥只能登记一次。",
        "This key has been registered before; a key is registered once only.",
    ),
    "weak-key": (
        "该公钥不安全或不合格式（{reason}），不能登记。",
        "This public key is unsafe or malformed ({reason}) and cannot be registered.",
    ),
    "possession-not-proven": (
        "持有证明无效（{reason}）：密钥持有人没有就这次登记签名。",
        "The proof of possession is not valid ({reason}): the key's holder did not sign this very registration.",
    ),
    "no-such-key": ("该密钥未登记。", "This key is not registered."),
    "member-key": ("成员单位的账本密钥只能经表决更换。", "A member's ledger key changes by vote only."),
    "key-already-revoked": (
        "该密钥已在高度 {revoked_height} 撤销。",
        "This key was revoked at height {revoked_height}.",
    ),
    "no-seat": (
        "{org} 在签署本区块的成员集合中没有席位，不能提案或表决。",
        "{org} has no seat among those who certify this block, and can neither propose nor vote.",
    ),
    "unknown-kind": ("没有名为 {kind} 的提案种类。", "There is no kind of proposal named {kind}."),
    "too-many-proposals": (
        "该成员未决的提案已达上限 {limit}；请先撤回其中之一（对其投反对票）。",
        "The member has {limit} open proposals, the limit; withdraw one first, by voting no.",
    ),
    "no-such-proposal": ("没有这一提案。", "There is no such proposal."),
    "proposal-closed": (
        "提案已于高度 {height} 了结（{outcome}）。",
        "The proposal was closed at height {height} ({outcome}).",
    ),
    "proposal-expired": (
        "提案的表决已于高度 {until_height} 截止，请重新提案。",
        "Votes on the proposal counted up to height {until_height}; propose it anew.",
    ),
    "rule-set-unsound": (
        "规则集不能成立，见 {place}；请用 fazhi rules lint 查明。",
        "The rule set is not sound: see {place}; fazhi rules lint says what is wrong.",
    ),
    "rule-set-known": (
        "程序 {procedure} 的这一规则集已经安装。",
        "This very rule set of the procedure {procedure} is installed already.",
    ),
    "too-many-rule-sets": ("规则集已达上限 {limit}。", "There are {limit} rule sets already, the limit."),
    "calendar-known": (
        "{year} 年现行的工作日历与此相同。",
        "The calendar of {year} that is in force says the same.",
    ),
    "too-many-calendars": ("工作日历已达上限 {limit}。", "There are {limit} calendars already, the limit."),
    "change-pending": (
        "前一项成员变更自高度 {first_height} 生效，此前不能再通过一项；请届时再投一次。",
        "An earlier change of the validators takes over at height {first_height}; vote again once it has.",
    ),
    "seat-for-unit": ("{org} 是下属单位，不能作为成员。", "{org} is a unit below a member and cannot hold a seat."),
    "already-seated": ("{org} 已有席位。", "{org} holds a seat already."),
    "roles-unchanged": ("{org} 现有的角色与此相同。", "{org} has these very roles."),
    "not-seated": ("{org} 没有席位。", "{org} holds no seat."),
    "too-many-validators": ("席位已达上限 {limit}。", "There are {limit} seats, the limit."),
    "too-few-validators": (
        "现有 {validators} 个席位，不得少于 {least} 个；请先增补成员，再行移除。",
        "There are {validators} seats and must be at least {least}: add a member first, then remove one.",
    ),
    "wrong-fingerprint": (
        "名片上的证书指纹与所附证书不符。",
        "The card's fingerprint is not that of the certificate beside it.",
    ),
    "certificate-known": ("该证书已为成员 {org} 所用。", "The certificate is in use by the member {org}."),
    "address-known": ("该地址已为成员 {org} 所用。", "The address is in use by the member {org}."),
}
"""Codes of results: what a contract refuses."""

INVALIDITIES: Final[Sentences] = {
    "wrong-genesis": ("提交属于另一条链。", "The submission belongs to another chain."),
    "item-too-large": (
        "提交有 {bytes} 字节，超过上限 {limit}。",
        "The submission has {bytes} bytes, more than the limit of {limit}.",
    ),
    "too-many-signers": (
        "签名密钥有 {signers} 个，超过上限 {limit}。",
        "There are {signers} signer keys, more than the limit of {limit}.",
    ),
    "expired": (
        "提交已过有效期：链上时间 {time_ms} 晚于 {valid_until_ms}。",
        "The submission has expired: certified time {time_ms} is past {valid_until_ms}.",
    ),
    "validity-too-long": (
        "有效期 {validity_ms}，超过上限 {limit_ms}。",
        "The validity of {validity_ms} exceeds the limit of {limit_ms}.",
    ),
    "not-before-ahead": (
        "提交引用的区块高度 {not_before} 尚不存在（下一高度为 {next_height}）。",
        "The block at height {not_before} that the submission names does not exist yet (the next height is {next_height}).",
    ),
    "not-before-mismatch": (
        "高度 {not_before} 的区块不是提交所引用的那一个。",
        "The block at height {not_before} is not the one that the submission names.",
    ),
    "unknown-key": ("第 {position} 个签名密钥未登记。", "The signer key at position {position} is not registered."),
    "revoked-key": (
        "第 {position} 个签名密钥已在高度 {revoked_height} 撤销。",
        "The signer key at position {position} was revoked at height {revoked_height}.",
    ),
    "key-not-of-org": (
        "首个签名密钥属于 {key_org}，不属于 {org}。",
        "The first signer key belongs to {key_org}, not to {org}.",
    ),
    "unexpected-records": (
        "此操作不带记录，却附有 {records} 条。",
        "This action carries no records, yet {records} stand beside it.",
    ),
    "wrong-records": (
        "所附 {records} 条记录与签署的数目或根不符。",
        "The {records} records beside the submission are not those that were signed.",
    ),
    "too-many-records": (
        "一次提交 {records} 条记录，超过上限 {limit}。",
        "{records} records in one submission exceed the limit of {limit}.",
    ),
    "looks-personal": (
        "第 {record} 条记录的公开字段 {field} 像是个人信息（{kind}）；请改用加盐承诺的字段（不公开）。",
        "The clear field {field} of the record {record} looks like personal data ({kind}); state it in a committed field, which is not shown.",
    ),
    "malformed-record": ("第 {record} 条记录不符合格式（{reason}）。", "The record {record} is malformed ({reason})."),
    "wrong-seq": ("通道序号应为 {expected}，实为 {found}。", "The lane expects the seq {expected}, not {found}."),
    "too-many-lanes": ("该密钥的通道已达上限 {limit}。", "The key has reached its limit of {limit} lanes."),
    "too-many-items": (
        "区块含 {items} 个提交，超过上限 {limit}。",
        "The block holds {items} submissions, more than the limit of {limit}.",
    ),
    "too-many-bytes": (
        "区块内容有 {bytes} 字节，超过上限 {limit}。",
        "The block's content has {bytes} bytes, more than the limit of {limit}.",
    ),
    "wrong-header-field": (
        "高度 {height} 的区块头字段 {field} 不正确。",
        "The header field {field} of the block at height {height} is not what it must be.",
    ),
    "bad-rule-set": ("规则集有误，{place}：{what}。", "The rule set is not sound, at {place}: {what}."),
}
"""Codes of what must not stand: submissions, blocks, and rule sets."""

GENESIS: Final[Sentences] = {
    "reserved-role": (
        "创世文件中 {org} 的人员密钥不得有保留角色 {role}。",
        "In the genesis, an officer's key of {org} must not have the reserved role {role}.",
    ),
    "no-roles": ("创世文件中 {org} 的人员密钥没有角色。", "In the genesis, an officer's key of {org} has no role."),
    "bad-rule-set": (
        "创世文件中程序 {procedure} 的规则集有误：{reason}",
        "In the genesis, the rule set of the procedure {procedure} is not sound: {reason}",
    ),
    "wrong-procedure": (
        "创世文件中程序 {procedure} 所附的是 {rule_set} 的规则集。",
        "In the genesis, the rule set beside the procedure {procedure} is one of {rule_set}.",
    ),
    "same-law-from": (
        "创世文件中程序 {procedure} 有两个规则集都自 {date} 起陈述法律。",
        "In the genesis, two rule sets of the procedure {procedure} state the law from {date} on.",
    ),
}
"""Codes of a genesis that this distribution refuses; the ledger has its own."""

FINDINGS: Final[Sentences] = {
    "signers-short": (
        "签署人员不足：具有角色 {roles} 的须有 {required} 人，实有 {found} 人。",
        "Too few signers: {required} with the role {roles} are required, {found} signed.",
    ),
    "documents-short": (
        "文书或证据不足：至少须有 {required} 份，实有 {found} 份。",
        "Too few documents: at least {required} are required, {found} are committed to.",
    ),
    "step-repeated": (
        "步骤 {step} 重复记录（首次为第 {first} 条）。",
        "The step {step} is recorded again (first as event {first}).",
    ),
    "step-skipped": ("此前未记录 {expected}。", "Nothing of {expected} stands before it."),
    "step-missing": ("缺少必经步骤 {step}。", "The required step {step} is missing."),
    "step-outdated": (
        "步骤 {step} 早于最近一次 {since}，应当重新进行。",
        "The step {step} is older than the last {since} and had to be repeated.",
    ),
    "outcome-adverse": (
        "步骤 {step} 的 {field} 为 {value}，不符合要求。",
        "The {field} of the step {step} is {value}, which does not allow this.",
    ),
    "same-signer": (
        "签署人与步骤 {step} 的签署人相同，应当由他人进行。",
        "A signer of the step {step} signs this one too; it had to be somebody else.",
    ),
    "not-ended": (
        "步骤 {step} 尚未由 {by} 了结。",
        "What the step {step} began was not ended by {by}.",
    ),
    "after-step": (
        "事后补录：在步骤 {step} 之后才进入案卷。",
        "Entered afterwards: it came into the file after the step {step}.",
    ),
    "over-limit": (
        "{field} 为 {value}，超过上限 {limit}。",
        "The {field} is {value}, over the limit of {limit}.",
    ),
    "deadline-exceeded": (
        "超过自 {start} 起 {term}的期限 {late}。",
        "The term of {term} from {start} was exceeded by {late}.",
    ),
    "too-early": (
        "自 {start} 起 {term}未满，早了 {early_days} 日。",
        "The {term} from {start} had not passed: {early_days} days too early.",
    ),
    "term-paused": (
        "自 {start} 起 {term}的期间正在中止，尚未届满。",
        "The term of {term} from {start} is suspended and has not run out.",
    ),
    "calendar-missing": (
        "链上没有 {year} 年的工作日历，自 {start} 起的期间无法判断。",
        "The chain has no calendar of working days for {year}; the term from {start} cannot be judged.",
    ),
    "pause-not-counted": (
        "期间中止 {pause} 次数过多，本次不扣除。",
        "The suspension {pause} happened too often; this one is not left out of any term.",
    ),
    "occurred-before-previous": (
        "发生时间早于上一条记录 {previous}。",
        "It is said to have happened before the previous event {previous}.",
    ),
    "occurred-in-future": (
        "所称发生时间晚于上链时间 {ahead_ms}。",
        "It is said to happen {ahead_ms} after the time of its recording.",
    ),
    "recorded-late": (
        "发生后 {late_ms}才上链，超过 {limit_ms}。",
        "It was recorded {late_ms} after it happened, later than {limit_ms}.",
    ),
    "lane-voided": (
        "通道序号 {first} 至 {last} 被放弃，原因：{reason}。",
        "The lane's seqs {first} to {last} were given up, reason: {reason}.",
    ),
}
"""Codes of findings: breaches that were honestly recorded."""

TO_CONFIRM: Final = ("（该规则的依据尚待确认）", "(the basis of this rule is yet to be confirmed)")
"""Added to a finding with the parameter ``to_confirm``."""

TRAIL: Final[Sentences] = {
    "no-trail": ("不是法治联盟链的案卷文件。", "This is no fazhi trail file."),
    "unknown-trail-version": (
        "案卷文件版本未知，请使用更新的核验程序。",
        "Unknown version of the trail file: use a newer verifier.",
    ),
    "trail-out-of-order": (
        "{what} 未按次序排列、重复或者多余。",
        "The {what} are out of order, repeated or without use.",
    ),
    "trail-incomplete": (
        "案卷不完整：文件中有 {events} 件，链上为 {counted} 件，或者内容不同。",
        "The trail is not complete: {events} events in the file, {counted} on the chain, or others.",
    ),
    "another-case": (
        "案件首部属于另一案件（{org}，{procedure}）。",
        "The head is that of another case ({org}, {procedure}).",
    ),
    "rules-of-another-block": (
        "所附规则不是各区块执行时的规则。",
        "The rules in the file are not those that the blocks were executed under.",
    ),
    "another-rule-set": (
        "所附规则集不是案件应当适用的规则集。",
        "The rule set is not the one that the case has to follow.",
    ),
    "other-calendars": ("所附工作日历不是链上所用的工作日历。", "The calendars are not those of the chain."),
    "another-memory": (
        "案件首部所载与重放各事件的结果不同。",
        "The case's head remembers something else than its events come to.",
    ),
    "findings-differ": (
        "第 {number} 件 {step}：链上记录的发现（{recorded}）与重放规则集的结果（{replayed}）不同。",
        "Event {number}, {step}: the chain recorded {recorded}; the rule set, read again, comes to {replayed}.",
    ),
    "replay-refused": (
        "第 {number} 件 {step}：链上已经记录，重放规则集却应拒绝（{refusal}）。",
        "Event {number}, {step}: it stands on the chain, yet the rule set, read again, refuses it ({refusal}).",
    ),
}
"""What may be wrong with a trail file; the rest is the ledger's."""

SEVERITIES: Final[Sentences] = {
    "note": ("提示", "note"),
    "irregular": ("不规范", "irregular"),
    "grave": ("严重", "grave"),
}


UNITS: Final[Sentences] = {
    "hours": ("小时", "hours"),
    "calendar-days": ("日", "days"),
    "working-days": ("个工作日", "working days"),
    "months": ("个月", "months"),
    "years": ("年", "years"),
    "late_days": ("日", "days"),
    "late_minutes": ("分钟", "minutes"),
}
"""Units of terms (:mod:`.procedures.vocabulary`), and of how late something is."""


def term_in_words(amount: int | str, unit: str, language: str) -> str:
    """``5 个工作日``, ``5 working days``."""
    return f"{amount} {UNITS.get(unit, (unit, unit))[0 if language == 'zh' else 1]}"


def _with_words(pairs: tuple[Parameter, ...], language: str) -> tuple[Parameter, ...]:
    """The parameters of a finding about a term, with the term and the lateness as people say them."""
    named = dict(pairs)
    if "unit" not in named or "amount" not in named:
        return pairs
    late = [("late", term_in_words(value, name, language)) for name, value in pairs if name in UNITS]
    return (*pairs, ("term", term_in_words(named["amount"], str(named["unit"]), language)), *late)


def explain(code: str, parameters: Iterable[Parameter], language: str) -> str:
    """The sentence of a result, a refusal, an invalidity or a finding, whichever the code belongs to."""
    pairs = tuple(parameters)
    text = sentence((REFUSALS, INVALIDITIES, FINDINGS, GENESIS), code, _with_words(pairs, language), language)
    return text + TO_CONFIRM[0 if language == "zh" else 1] if ("to_confirm", 1) in pairs else text
