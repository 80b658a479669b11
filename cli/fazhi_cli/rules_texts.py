"""Sentences and help of ``fazhi rules``, ``{code: (中文, English)}``. Braces name parameters."""

from __future__ import annotations

from typing import Final

from .language import Pair

RULES_HELP: Final[dict[str, Pair]] = {
    "lint": ("检查一份规则集:全部问题、所在位置与改法", "check a rule set: every problem, where it is and what to do"),
    "lint-about": (
        "检查一份规则集文件,列出全部问题而不止第一个,并提示可疑之处。有问题时退出码为 1,仅有提示时为 0。",
        "Check a rule set and list every problem, not only the first, with remarks on what looks doubtful. Exit code 1 where there are problems, 0 where there are remarks only.",
    ),
    "show": ("以文字或状态图列出一份规则集", "a rule set in words, or as a diagram of its states"),
    "diff": ("逐条比较两个版本", "compare two versions, clause by clause"),
    "diff-about": (
        "逐条比较两个版本:增加、删除和改动的步骤与条款。有不同时退出码为 1。",
        "Compare two versions, clause by clause: steps added, removed and changed. Exit code 1 where they differ.",
    ),
    "simulate": ("用故事(案卷式文本)演练一份规则集", "play stories of cases against a rule set"),
    "simulate-about": (
        "逐个事件演练:每个事件得出的发现、拒绝与期限,以及故事与结果不符之处。全部相符退出码为 0,否则为 1。",
        "Play stories, event by event: the findings, refusals and terms that each comes to, and where a story says something else. Exit code 0 where all stories hold, else 1.",
    ),
    "calendar": (
        "由 chinesecalendar 写出某年的工作日历",
        "write the calendar of a year out of the package chinesecalendar",
    ),
    "calendar-about": (
        "写出某年的工作日历(TOML),供成员核对国务院办公厅通知后表决。",
        "Write the calendar of a year (TOML), for the members to hold against the State Council's notice and vote on.",
    ),
    "file": ("规则集文件(.toml)", "a rule set (.toml)"),
    "file-or-procedure": ("规则集文件(.toml)或内置程序名", "a rule set (.toml), or the name of a built-in procedure"),
    "diagram": ("画状态图而不列文字", "draw the states instead"),
    "story": ("故事文件,可给出多个", "a story; several may be given"),
    "year": ("年份", "year"),
    "out": ("写入该文件(默认:标准输出)", "write to this file (default: standard output)"),
}

RULES_MESSAGES: Final[dict[str, Pair]] = {
    "bad-rules": ("规则集“{path}”有误,{place}:{reason}", "“{path}” is no sound rule set, at {place}: {reason}"),
    "bad-story": (
        "故事“{path}”第 {line} 行无法读取:{reason}",
        "the story “{path}” cannot be read, line {line}: {reason}",
    ),
    "story-of-other": (
        "故事“{path}”属于程序 {found},规则集属于 {procedure}",
        "the story “{path}” is one of the procedure {found}, the rule set one of {procedure}",
    ),
    "no-calendar-package": (
        "缺少 chinesecalendar:请安装 fazhi-cli[calendar],或照国务院办公厅通知手写日历",
        "the package chinesecalendar is missing: install fazhi-cli[calendar], or write the calendar by hand from the State Council's notice",
    ),
    "unknown-year": (
        "已安装的 chinesecalendar {version} 没有 {year} 年(有 {first} 至 {last} 年):请升级它,或待国务院办公厅通知发布后手写日历",
        "the installed chinesecalendar {version} does not know {year} (it knows {first} to {last}): upgrade it, or write the calendar by hand once the State Council's notice is out",
    ),
}
"""Sentences of errors; :mod:`.complaints` finds them where this module is loaded."""

WORDS: Final[dict[str, Pair]] = {
    "law": ("陈述 {day} 起的法律 · 第 {number} 版", "states the law from {day} on · version {number}"),
    "record-article": ("全过程记录的依据: {article}", "duty to record the whole process: {article}"),
    "size": (
        "步骤 {steps} · 链上 {size} 字节(上限 {limit})",
        "steps {steps} · {size} bytes on the chain (limit {limit})",
    ),
    "hash": ("哈希 {hash}({suite})", "hash {hash} ({suite})"),
    "pauses": ("期间的中止", "times left out of terms"),
    "tallies": ("累计", "tallies"),
    "colours": ("颜色(取第一个符合的)", "colours (the first that holds)"),
    "unjudged": ("链上没有足以判断的事实", "what the chain has no facts to judge by"),
    "steps": ("步骤", "steps"),
    "basis": ("依据: {article}", "basis: {article}"),
    "initial": ("立案步骤", "opens a case"),
    "terminal": ("办结", "closes the case"),
    "repeatable": ("可以多次记录", "may be recorded more than once"),
    "beside": ("不在程序次序之内,任何时候都可以记录", "stands beside the procedure: may be recorded at any time"),
    "decides": ("作出决定:案卷至此冻结", "decides: the case file is frozen by it"),
    "signed": ("签署: {roles},至少 {minimum} 人({article})", "signed by: {roles}, at least {minimum} ({article})"),
    "signed-each": ("签署: {roles},每种角色各一人({article})", "signed by: {roles}, one of each ({article})"),
    "strict": ("人数不足即拒绝", "fewer are refused"),
    "orgs": ("由{orgs}签署", "signers are of: {orgs}"),
    "after": ("前一步: {steps}", "after: {steps}"),
    "requires": ("此前必须有其一,否则拒绝: {steps}", "one of these must stand, else it is refused: {steps}"),
    "documents": ("文书: {documents}(至少 {minimum} 份)", "documents: {documents} (at least {minimum})"),
    "documents-optional": ("文书(可以不附): {documents}", "documents (none is required): {documents}"),
    "documents-min": ("文书至少 {minimum} 份", "at least {minimum} documents"),
    "clear": ("公开字段 {field}: {values}", "clear field {field}: {values}"),
    "clear-required": ("公开字段(必填) {field}: {values}", "clear field (required) {field}: {values}"),
    "done": ("须已有 {step}", "needs {step}"),
    "done-since": ("最近一次 {since} 之后须有 {step}", "needs {step} after the last {since}"),
    "outcome": ("{step} 的 {field} 须为 {values}", "{field} of {step} must be {values}"),
    "others-than": ("签署人不得是 {step} 的签署人", "nobody signs who signed {step}"),
    "ended": ("{step} 须已由 {by} 了结", "{step} must have been ended by {by}"),
    "before": ("须在 {step} 之前", "must come before {step}"),
    "at-most": ("{field} 不超过 {limit}", "{field} is at most {limit}"),
    "within": ("期限: 自 {start} 起 {term}内", "deadline: within {term} of {start}"),
    "not-before": ("不早于 {start} 后第 {term}", "not before {term} from {start}"),
    "lapsed": ("须待 {start} 后 {term}届满", "only once {term} from {start} have passed"),
    "counted-last": ("自最近一次起算", "from its last recording"),
    "rolls": ("末日为休息日的顺延", "rolls on from a day without work"),
    "may-lapse": ("可以不行使", "may be let pass"),
    "shift": ("{field} 为 {value} 的,推后 {days} 日起算", "{days} days later where {field} is {value}"),
    "extension": ("有 {step} 的延长 {term}", "longer by {term} with {step}"),
    "left-out": ("不计入: {pauses}", "leaves out: {pauses}"),
    "only-if": ("仅当 {condition}", "only if {condition}"),
    "unless": ("{condition} 的除外", "unless {condition}"),
    "stands": ("已有 {step}", "{step} stands"),
    "field-is": ("{step} 的 {field} 为 {values}", "{field} of {step} is {values}"),
    "own-field-is": ("本记录的 {field} 为 {values}", "its own {field} is {values}"),
    "or": (" 或 ", " or "),
    "source": ("{severity},{article}", "{severity}, {article}"),
    "to-confirm": ("待确认", "to be confirmed"),
    "pause": ("{pause}: 自 {begins} 至 {ends}({article})", "{pause}: from {begins} to {ends} ({article})"),
    "tally": ("{tally}: 加 {plus};减 {minus}({article})", "{tally}: plus {plus}; minus {minus} ({article})"),
    "number-of": ("{step} 的 {field}", "{field} of {step}"),
    "none": ("无", "none"),
    "colour": ("{colour}: {conditions}", "{colour}: {conditions}"),
    "closed": ("已办结", "the case is closed"),
    "overdue": ("{term} 的期限已过", "a term of {term} has run out"),
    "elapsed": ("{term} 的期限已过 {percent}%", "{percent}% of a term of {term} have passed"),
    "any-step": ("任一步骤", "any step"),
    "otherwise": ("其余情形", "anything else"),
}

ORGS: Final[dict[str, Pair]] = {
    "own": ("本单位", "the case's own organisation"),
    "enforcement": ("执法机关", "an enforcement agency"),
    "judicial": ("司法行政机关", "the judicial bureau"),
    "notary": ("公证机构", "a notary office"),
    "court": ("人民法院", "a court"),
}
"""Roles of organisations."""

DIFF: Final[dict[str, Pair]] = {
    "same": ("两个版本的条款完全相同", "both versions say the same"),
    "other-order": ("条款相同,次序不同", "the same clauses, in another order"),
    "added": ("新增步骤 {step}", "step added: {step}"),
    "removed": ("删除步骤 {step}", "step removed: {step}"),
    "changed": ("改动步骤 {step}", "step changed: {step}"),
    "same-number": (
        "两者内容不同,却同为第 {number} 版:表决之前把新版的 number 加一,否则只有哈希能区分它们",
        "they differ and are both version {number}: before the vote give the new one the next number, or only their hashes tell them apart",
    ),
    "head": ("规则集本身", "of the rule set itself"),
    "counts": (
        "新增 {added} 步,删除 {removed} 步,改动 {changed} 步",
        "steps: {added} added, {removed} removed, {changed} changed",
    ),
}

PLAY: Final[dict[str, Pair]] = {
    "holds": ("{path}: 与故事相符({events} 个事件)", "{path}: comes to what it says ({events} events)"),
    "broken": ("{path}: 与故事不符({count} 处)", "{path}: comes to something else than it says ({count} places)"),
    "line": ("第 {line} 行", "line {line}"),
    "refused": ("拒绝: {reason}", "refused: {reason}"),
    "mismatch": ("✗ 第 {line} 行: {what}", "✗ line {line}: {what}"),
    "tally": ("累计 {tally} 为 {total}", "the tally {tally} stands at {total}"),
    "colour": ("颜色 {colour}({day})", "colour {colour} ({day})"),
    "ends": ("期限已了结或不再适用: {step}", "no longer runs: {step}"),
}

LINT: Final[dict[str, Pair]] = {
    "problem": ("错误  {place}: {what}", "error   {place}: {what}"),
    "remark": ("提示  {place}: {what}", "remark  {place}: {what}"),
    "do": ("      {what}", "        {what}"),
    "sound": (
        "规则集 {procedure} 第 {number} 版可以安装:步骤 {steps},链上 {size} 字节(上限 {limit}),提示 {remarks} 条",
        "the rule set {procedure}, version {number}, can be installed: {steps} steps, {size} bytes on the chain (limit {limit}), {remarks} remarks",
    ),
    "unsound": ("错误 {count} 处,不能安装", "{count} errors: it cannot be installed"),
    "more": (
        "先改正以上各处,再检查其余:有的问题要到那时才看得出",
        "mend these and check again: some problems show only then",
    ),
    "no-law": ("条款“{article}”没有写明法律名称", "the article “{article}” names no law"),
    "no-law-do": ("写明法律名称与条号,例如 行政处罚法 42", "name the law and its article, such as 行政处罚法 42"),
    "idle-pause": ("期间中止 {pause} 没有任何期限使用", "no clock leaves out the pause {pause}"),
    "idle-pause-do": ("在期限的 pauses 中列出它,或删除", "list it in a clock's pauses, or delete it"),
    "to-confirm": ("尚待确认: {what}", "yet to be confirmed: {what}"),
    "to-confirm-do": (
        "对照法律文本核实后删除 to_confirm = true",
        "hold it against the text of the law, then delete to_confirm = true",
    ),
    "large": ("链上 {size} 字节,接近上限 {limit}", "{size} bytes on the chain, close to the limit of {limit}"),
    "large-do": ("拆成两个程序,或缩短名称", "split the procedure, or shorten its names"),
    "personal-value": (
        "取值 {value} 看似个人信息,记录会被拒绝",
        "the value {value} looks like personal data: records with it are refused",
    ),
    "personal-value-do": ("换一个代号", "choose another code"),
    "personal-range": (
        "范围到 {high}:其中看似手机号、身份证号或银行卡号的值会被拒绝",
        "the range goes up to {high}: values in it that look like a mobile, identity or card number are refused",
    ),
    "personal-range-do": (
        "收窄范围(例如以元计而不以分计);号码放入承诺字段",
        "narrow it (count in yuan, not in fen); put numbers of people into committed fields",
    ),
    "unknown-role": ("角色 {role} 不是常用角色", "the role {role} is none of the usual ones"),
    "unknown-role-do": (
        "核对拼写;若有意使用新角色,请先为人员登记该角色",
        "check its spelling; if it is meant, register keys that have it",
    ),
    "no-deadline": ("没有任何期限", "it has no clock at all"),
    "no-deadline-do": ("确认该程序确实没有法定期限", "make sure that the law sets none"),
}
