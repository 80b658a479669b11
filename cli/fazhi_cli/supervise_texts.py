"""Sentences and help of ``fazhi supervise`` and ``fazhi statistics``, ``{code: (中文, English)}``. Braces name
parameters."""

from __future__ import annotations

from typing import Final

from .language import Pair

SUPERVISE_HELP: Final[dict[str, Pair]] = {
    "agency": ("只看某单位及其下属(单位代号)", "only this organisation and its units (its id)"),
    "procedure": ("只看某程序,例如 penalty", "only this procedure, such as penalty"),
    "year": ("只看某年入链的案件", "only cases whose opening was recorded in this year"),
    "overdue": ("只列已逾期的期限", "only terms that have run out"),
    "within": ("只列已逾期和若干日内到期的期限", "only terms that have run out or end within so many days"),
    "at": (
        "按此时间计算(带时区,例如 2026-03-02T09:00+08:00;默认现在)",
        "reckon as of this time (with its zone, such as 2026-03-02T09:00+08:00; default: now)",
    ),
    "numbers": (
        "案号清单文件(每行一个);链上只有案号的哈希,清单中有的案件显示案号",
        "a file of docket numbers, one a line: the chain holds only their hashes; cases of the list are shown by number",
    ),
    "from": ("自此日起(含,YYYY-MM-DD,按开案入链时间)", "from this day on (YYYY-MM-DD, of the opening's recording)"),
    "to": ("至此日止(含,YYYY-MM-DD)", "to this day, included (YYYY-MM-DD)"),
}

SUPERVISE: Final[dict[str, Pair]] = {
    "as-of": (
        "截至高度 {height}({recorded});期限按 {at} 计算",
        "as of height {height} ({recorded}); terms reckoned as of {at}",
    ),
    "series": (
        "{org} · {procedure} · {year} 年:{count} 件,序号 1–{count} 逐件证明",
        "{org} · {procedure} · {year}: {count} cases, serials 1–{count} proven one by one",
    ),
    "missing": ("缺第 {serials} 号:没有网关出示", "missing: {serials}, which no gateway shows"),
    "no-cases": ("没有案件", "no cases"),
    "no-terms": ("没有符合条件的期限", "no such terms"),
    "case": ("{year} 年第 {serial} 号 {id}", "no. {serial} of {year} {id}"),
    "by-number": (
        "链上只有案号的哈希:用 --numbers 给出本单位掌握的案号,即按案号列出",
        "the chain holds only hashes of docket numbers: give those you know with --numbers, and cases are shown by them",
    ),
    "left": ("余 {days} 日", "{days} days left"),
    "late": ("逾期 {days} 日", "{days} days overdue"),
    "today": ("今日到期", "ends today"),
    "paused": ("中止计算", "paused"),
    "may-roll": ("(缺 {year} 年日历,可能顺延)", " (no calendar of {year}: may roll on)"),
    "no-calendar": ("缺 {year} 年工作日历", "no calendar of {year}"),
    "column-colour": ("颜色", "colour"),
    "column-case": ("案件", "case"),
    "column-step": ("应作出", "due"),
    "column-start": ("自", "since"),
    "column-due": ("最后一日", "last day"),
    "column-state": ("状态", "state"),
    "column-article": ("依据", "article"),
    "to-confirm": ("(期限待确认)", " (to be confirmed)"),
    "totals": (
        "{org} · {step}:逾期 {overdue},未到期 {due},中止或待定 {other}",
        "{org} · {step}: {overdue} overdue, {due} running, {other} paused or open",
    ),
    "default-colours": (
        "颜色:规则集有规定的从其规定;没有的,逾期红、已过 80% 橙、50% 黄、其余绿、无法确定灰",
        "colours: those of the rule set where it has some; else overdue red, from 80% orange, from 50% yellow, else green, grey where the end is open",
    ),
    "proven": (
        "已证明:各成员单位的案件一件不缺,每件的步骤与期限由已认证的状态得出。",
        "Proven: of every member all cases are here, and their steps and terms follow from the certified state.",
    ),
    "incomplete": (
        "未证明:上述缺号的案件没有网关出示;其余案件逐件证明。",
        "Not proven: the cases named as missing, which no gateway shows; all others are proven.",
    ),
    "not-proven": (
        "未证明:下属单位有哪些案件系列(网关所述);所声明的发生时间。",
        "Not proven: which units have cases at all (a gateway's word); the stated times of events.",
    ),
    # statistics
    "period": (
        "开案入链 {begin} 至 {end} 的案件,截至高度 {height}({recorded})",
        "cases whose opening was recorded from {begin} to {end}, as of height {height} ({recorded})",
    ),
    "always": ("开链", "the beginning"),
    "now": ("今", "now"),
    "figures": ("{org} · {procedure}:开案 {opened} 件", "{org} · {procedure}: {opened} cases opened"),
    "figures-state": (
        "已结 {closed},在办 {open},其中有期限逾期 {overdue} 件({terms} 项)",
        "{closed} closed, {open} open, {overdue} of all with a term overdue ({terms} terms)",
    ),
    "figures-steps": ("记录 {records} 条:{steps}", "{records} records: {steps}"),
    "figures-decisions": ("决定:{decisions}", "decisions: {decisions}"),
    "no-findings-counted": (
        "不计发现:发现在各案的记录中,不在其状态中(fazhi findings 由导出的链列出)。",
        "Findings are not counted: they stand in the trails, not in the heads (fazhi findings lists them from an export).",
    ),
}
