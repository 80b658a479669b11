"""Sentences of ``fazhi case verdict``, ``{code: (中文, English)}``. Braces name parameters."""

from __future__ import annotations

from typing import Final

from .language import Pair

VERDICT_HELP: Final[dict[str, Pair]] = {
    "verdict": (
        "逐条结论:符合、违反、不适用、不能判断",
        "the verdict, clause by clause: met, breached, not applicable, open",
    ),
    "verdict-about": (
        "重放规则集,逐条给出结论。给出案卷文件(fazhi case trail … -o)与创世哈希则完全离线;给出案号与 --org 则向链上查询并核验同样的内容;给出收据则说明凭它可以认定什么。退出码: 0 无违反,4 有违反,1 文件不成立,2 用法,3 无法查询。",
        "Read the rule set over the case again and say what each clause came to. With a trail file (fazhi case trail … -o) and the genesis hash, offline; with a docket number and --org out of the chain, verified the same way; with a receipt, what can be said by it alone. Exit code 0: no breach; 4: breached; 1: the file does not hold; 2: usage; 3: could not be asked.",
    ),
    "of": ("案卷文件、收据,或案号(加 --org)", "a trail file, a receipt, or a docket number (with --org)"),
    "org": ("立案单位:按案号向链上查询", "who opened the case: ask the chain by its number"),
    "all": ("列出不适用的条款", "list the clauses that do not apply, too"),
    "out": ("写成案卷文件,供离线核验与裁判", "write the trail file, for verdicts offline"),
}

VERDICT: Final[dict[str, Pair]] = {
    "case": ("案件 {number} · {title} · {org}", "case {number} · {title} · {org}"),
    "rule-set": (
        "适用规则集 {procedure} 第 {number} 版({day} 起的法律)· 哈希 {hash}",
        "rule set {procedure}, version {number} (the law from {day} on) · hash {hash}",
    ),
    "as-of": ("截至高度 {height}({time})", "as of height {height} ({time})"),
    "members": (
        "签署成员 {members}({signed}/{all};其中非当事方: {others})",
        "certified by {members} ({signed}/{all}; not a party: {others})",
    ),
    "nobody": ("无", "nobody"),
    "whole": (
        "案卷 {count} 件,已证明为全部 · 哈希 {root}",
        "the file: {count} events, proven to be all · hash {root}",
    ),
    "frozen": (
        "案卷于第 {number} 件 {step} 冻结 · 哈希 {root};其后 {outside} 件在案卷之外",
        "frozen by event {number}, {step} · hash {root}; {outside} later events stand outside",
    ),
    "not-frozen": ("尚无决定,案卷未冻结", "no decision yet: the file is not frozen"),
    "colour": ("颜色 {colour}", "colour: {colour}"),
    "tally": ("{tally} {total}", "{tally}: {total}"),
    "conclusion": ("结论 {parts}", "verdict: {parts}"),
    "count-breached": ("违反 {count} 项({severities})", "breached {count} ({severities})"),
    "count-clean": ("无违反", "no breach"),
    "count-not-judged": ("不能判断 {count} 项", "cannot be judged {count}"),
    "count-running": ("未届期 {count} 项", "running {count}"),
    "count-met": ("符合 {count} 项", "met {count}"),
    "count-not-applicable": ("不适用 {count} 项", "not applicable {count}"),
    "count-unjudged": (
        "另有 {count} 项义务无法依链上事实判断",
        "{count} duties more that no facts on the chain tell of",
    ),
    "breached": ("违反", "breached"),
    "not-judged": ("不能判断", "not judged"),
    "running": ("未届期", "running"),
    "met": ("符合", "met"),
    "not-applicable": ("不适用", "n/a"),
    "step": ("{number:>3} {step} · {occurred} · {signers}", "{number:>3} {step} · {occurred} · {signers}"),
    "signer": ("{roles} {key}({org})", "{roles} {key} ({org})"),
    "entered-later": ("事后补录", "entered after the fact"),
    "outside": ("案卷之外", "outside the file"),
    "left-out": ("不适用 {count} 项(--all 列出)", "not applicable: {count} (--all lists them)"),
    "owed": ("尚应办理", "still owed"),
    "nothing-owed": ("没有未办的期限", "no term is owed"),
    "unjudged": ("链上没有足以判断的事实", "what the chain has no facts to judge by"),
    "once": ("只记录一次", "recorded once only"),
    "order": ("按发生的先后记录({article})", "recorded in the order of what happened ({article})"),
    "future": ("不早于事情发生记录({article})", "not recorded before it happened ({article})"),
    "prompt": ("及时记录({article})", "recorded without delay ({article})"),
    "recorded-within": (
        "发生后 {late}入链;本链超过 {limit}才记为迟录",
        "{late} after it happened; this chain remarks on more than {limit}",
    ),
    "pauses": ("中止、恢复计入期限({article})", "its pause counts for the terms ({article})"),
    "to-confirm": ("数字待确认", "the figure is to be confirmed"),
    "due": ("届满 {time}", "ends {time}"),
    "due-paused": ("中止,现无届满日", "suspended, no day for now"),
    "no-calendar": ("缺 {year} 年的工作日历", "the calendar of {year} is missing"),
    "any-calendar": (
        "按 {year} 年的任何工作日历都是如此",
        "so by whatever calendar of {year}",
    ),
    "no-figure": ("链上没有写明这个数字", "the record does not state the number"),
    "own-fact": (
        "期限已过,但取决于尚未记录的事实",
        "the term has passed, but whether it applies hangs on what is not recorded yet",
    ),
    "late": ("已逾期 {days} 日", "{days} days late"),
    "late-minutes": ("已逾期 {minutes} 分钟", "{minutes} minutes late"),
    "receipt-of": (
        "收据 案件 {number} · 第 {place} 件 {step} · {org}",
        "receipt · case {number} · event {place}, {step} · {org}",
    ),
    "undisclosed": ("案号未披露", "number not disclosed"),
    "receipt-findings": (
        "凭收据可以认定:链在该条记录入链时判断违反 {count} 项",
        "from the receipt: the chain found {count} breaches when the record was entered",
    ),
    "receipt-clean": (
        "凭收据可以认定:链在该条记录入链时没有发现违反",
        "from the receipt: the chain found no breach when the record was entered",
    ),
    "receipt-needs": (
        "收据只证明一条记录。其余条款逐项的结论、尚未办理的期限、案卷是否完整,须有案卷文件: fazhi case trail {number} --org {org} -o 案卷.trail.json",
        "A receipt shows one record. What each clause came to, terms that are owed, and whether the file is whole need the trail file: fazhi case trail {number} --org {org} -o case.trail.json",
    ),
    "not-proven": (
        "未证明: 内容是否属实;上链之前是否被改动;设备与申报时间是否准确;是否有法定成员串通;此后是否又有记录",
        "Not proven: whether the content is true; whether it was altered before it was recorded; that declared times are right; that a quorum did not conspire; what was recorded since",
    ),
    "genesis": ("创世哈希 {hash} (由您提供)", "genesis hash {hash} (given by you)"),
    "saved": ("案卷文件 {path}({events} 件)", "trail file {path} ({events} events)"),
}

STEPS: Final[dict[str, Pair]] = {
    "format": ("案卷文件格式", "format of the trail file"),
    "genesis": ("创世哈希", "genesis hash"),
    "membership": ("成员沿革至创世", "membership back to the genesis"),
    "certificate": ("法定多数成员签署", "signed by a quorum of members"),
    "head": ("案件首部在链的状态中", "the case's head is in the state"),
    "rules": ("规则集与工作日历为链上所用", "rule set and calendars are the chain's"),
    "history": ("各区块在链的历史中", "the blocks are in the chain's history"),
    "submissions": ("提交、签名与执行结果", "submissions, signatures, results"),
    "events": ("全部事件,一件不少", "all the events, and no fewer"),
    "replay": ("重放规则集与链上所记一致", "the rules read again: the same findings"),
}
"""Names of the steps of a trail's verification (spec/trail.md)."""
