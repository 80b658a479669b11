"""What the compiler says of a faulty rule set (English, ``what``), in Chinese too, and what to do about it.

The compiler runs in nodes, which have no use for sentences; a test holds this table against everything that it says.
"""

from __future__ import annotations

import re
from typing import Final

from .language import Language

Row = tuple[str, str, str, str]
"""Pattern of the whole of ``what``, 中文, 怎么办, what to do. Braces take the pattern's groups."""

FAULTS: Final[tuple[Row, ...]] = (
    ("unknown key", "没有这个键", "核对拼写,或删除它", "check its spelling, or delete it"),
    ("is missing", "缺少", "补上", "add it"),
    (r"(\w+) is missing", "缺少 {0}", "补上 {0}", "add {0}"),
    (r"(\w+) is empty", "{0} 为空", "写明 {0}", "fill in {0}"),
    ("text is expected here", "此处应为文字", "用引号写成文字", "write it as text, in quotes"),
    ("a list of texts is expected here", "此处应为文字的列表", '写成 ["A", "B"]', 'write it as ["A", "B"]'),
    ("a whole number is expected here", "此处应为整数", "写成不带引号的整数", "write a whole number, without quotes"),
    ("true or false is expected here", "此处应为 true 或 false", "写成 true 或 false", "write true or false"),
    (r"a date as text, .+, is expected here", "此处应为文字形式的日期", '写成 "YYYY-MM-DD"', 'write "YYYY-MM-DD"'),
    (r"(\d+) is no date YYYYMMDD", "没有 {0} 这一天", "改为实有的日期", "name a day that there is"),
    ("a table is expected here", "此处应为表", "写成 {{ … }} 或 [表]", "write {{ … }} or a [table]"),
    ("a list of tables is expected here", "此处应为表的列表", "写成 [[…]]", "write it as [[…]]"),
    (
        r"there is no (.+); there are: (.+)",
        "没有可引用的 {0};有: {1}",
        "改为其中之一,或从 uses 中删去",
        "name one of these, or delete it from uses",
    ),
    (r"unknown step (.+)", "没有步骤 {0}", "核对代码,或增加该步骤", "check the code, or add that step"),
    (
        r"unknown pause (.+)",
        "没有期间中止 {0}",
        "核对代码,或在 pauses 中定义它",
        "check the code, or define it in pauses",
    ),
    (
        r"step (\S+) has no clear field (.+)",
        "步骤 {0} 没有公开字段 {1}",
        "核对名称,或在该步骤的 clear 中定义它",
        "check the name, or define it among that step's clear fields",
    ),
    (
        r"(\S+)\.(\S+) has no value (.+)",
        "步骤 {0} 的字段 {1} 没有取值 {2}",
        "改为该字段列出的取值之一",
        "name one of the values that the field lists",
    ),
    (r"(.+) (\S+) stands twice", "{0} {1} 重复", "删去其一,或另取代码", "delete one of them, or give it another code"),
    (r"(\w+) is one of (.+)", "{0} 只能是 {1}", "改为其中之一", "name one of these"),
    (
        "no step is initial: no case could be opened",
        "没有立案步骤,无法立案",
        "给第一步写 initial = true",
        "give the first step initial = true",
    ),
    (
        "no step is terminal: no case could be closed",
        "没有办结步骤,案件无法办结",
        "给最后一步写 terminal = true",
        "give the last step terminal = true",
    ),
    ("a step cannot come before itself", "步骤不能在自己之前", "从列表中删去它自己", "delete it from its own list"),
    (
        "an initial step opens a case: nothing comes before it",
        "立案步骤之前没有任何事",
        "删去它的 from、requires、guards 和 clocks",
        "delete its from, requires, guards and clocks",
    ),
    (
        "an initial step neither repeats nor closes a case",
        "立案步骤既不重复,也不办结案件",
        "删去 repeatable 或 terminal",
        "delete repeatable or terminal",
    ),
    (
        "a step beside the procedure neither opens, closes nor decides, and comes from nowhere",
        "程序之外的步骤既不立案、办结,也不决定,也没有前一步",
        "删去 initial、terminal、decides 和 from,或删去 beside",
        "delete initial, terminal, decides and from, or delete beside",
    ),
    (
        "a step that is not initial names the steps it comes from",
        "不是立案步骤的,须写明前一步",
        'from = ["前一步"]',
        "name them in from",
    ),
    (
        "no way leads to this step",
        "没有任何路径到达此步骤",
        "核对各步的 from",
        "check from, of this step and those before it",
    ),
    ("at least one role signs a step", "没有写明由谁签署", 'roles = ["officer"]', 'add roles = ["officer"]'),
    ("roles are sorted and distinct", "角色重复", "每个角色只写一次", "name each role once"),
    (
        "one signer of each role: as many as there are roles are the minimum",
        "each 表示每种角色各一人,最少人数即角色数",
        "删去 minimum",
        "delete minimum",
    ),
    (
        "at least one organisation's signers record a step",
        "没有写明由哪些单位签署",
        "删去 orgs 或写明",
        "delete orgs, or name one",
    ),
    ("orgs are sorted and distinct", "单位角色重复", "每个只写一次", "name each once"),
    ("a case is opened by the organisation whose it is", "案件由本单位立案", "删去 orgs", "delete orgs"),
    (
        "a vocabulary has no range",
        "列出取值的字段没有范围",
        "删去 low 和 high,或删去 values",
        "delete low and high, or values",
    ),
    (
        "needs values, or a range of whole numbers",
        "须列出取值,或写明整数范围",
        "写 values,或 low 和 high",
        "add values, or low and high",
    ),
    (r"(\w+) names no step", "{0} 没有写明步骤", "写明步骤的代码", "name a step's code"),
    (
        "nothing runs yet when a case is opened",
        "立案时还没有期限在计算",
        "改为立案之后的步骤",
        "name a step after the opening",
    ),
    (
        "a step cannot both begin and end it",
        "同一步骤不能既开始又结束中止",
        "从其一中删去",
        "delete it from one of the two",
    ),
    ("nothing is ever added", "从未增加", "在 plus 中写明步骤和字段", "name a step and its field in plus"),
    ("nothing is counted when a case is opened", "立案时不计数", "改为立案之后的步骤", "name a step after the opening"),
    (
        r"(\S+)\.(\S+) is no number from 0 on",
        "步骤 {0} 的字段 {1} 不是从 0 起的整数",
        "写 low = 0 或更大",
        "give it low = 0 or more",
    ),
    (
        "a colour that holds in several ways has the same names in each",
        "同一颜色的各处名称不同",
        "各处写成相同的名称",
        "give it the same names everywhere",
    ),
    ("a condition names a step", "条件须写明步骤", "写明 step", "add step"),
    (
        "'term' belongs to 'overdue' and 'elapsed_percent'",
        "term 只与 overdue 或 elapsed_percent 同用",
        "删去 term,或加上其一",
        "delete term, or add one of them",
    ),
    (r"no term is owed for (.+)", "步骤 {0} 没有应当遵守的期限", "核对 term", "check term"),
    (
        "'ended' names the steps 'by' which, and no other kind does",
        "ended 须写明 by,其他种类没有 by",
        "补上或删去 by",
        "add by, or delete it",
    ),
    (
        "'at-most' has a field and a limit, nothing else",
        "at-most 只有 field 和 limit",
        "删去其他的键",
        "delete the other keys",
    ),
    ("'at-most' needs a field and a limit", "at-most 须有 field 和 limit", "补上", "add them"),
    (r"(\w+) is no number", "{0} 不是数字字段", "改为有 low 和 high 的字段", "name a field with low and high"),
    (
        r"limit (\S+) lies outside the range of (\w+)",
        "limit {0} 不在 {1} 的范围之内",
        "改正 limit,或放宽该字段的范围",
        "mend the limit, or widen the field's range",
    ),
    (r"'limit' does not belong to (.+)", "limit 不属于 {0}", "删去 limit", "delete limit"),
    ("a guard looks at another step", "先决条件须指向另一步骤", "改为另一步骤", "name another step"),
    ("'since' belongs to 'done'", "since 只与 done 同用", "删去 since", "delete since"),
    ("'since' names another step", "since 须指向另一步骤", "改为另一步骤", "name another step"),
    ("'outcome' needs a field and values", "outcome 须有 field 和 values", "补上", "add them"),
    (r"field and values do not belong to (.+)", "field 和 values 不属于 {0}", "删去", "delete them"),
    ("a clock starts with another step", "期限须自另一步骤起算", "改为另一步骤", "name another step"),
    (
        "hours neither roll nor shift nor pause",
        "以小时计的期限不顺延、不推后、不中止",
        "删去 rolls、shifts 和 pauses",
        "delete rolls, shifts and pauses",
    ),
    (
        "a term in working days ends on one: it does not roll",
        "以工作日计的期限末日就是工作日,无须顺延",
        "删去 rolls",
        "delete rolls",
    ),
    ("only what is due within a term can be owed", "只有 within 才有应当遵守的期限", "删去 owed", "delete owed"),
    (r"more than (\d+) (\S+)", "超过 {0} {1}", "缩短期限,或换较大的单位", "shorten the term, or use a larger unit"),
    ("a condition on the step's own record names no step", "对本记录的条件不写 step", "删去 step", "delete step"),
    (
        "a condition without a field names a step, and no values",
        "没有 field 的条件须写 step,不写 values",
        "补上 field,或只留 step",
        "add field, or leave step alone",
    ),
    ("a condition needs values", "条件须有 values", "补上", "add them"),
    (
        r"at most (\d+) steps may have their signers remembered",
        "最多 {0} 个步骤可以用于 others-than",
        "减少 others-than 所指的步骤",
        "let others-than look at fewer steps",
    ),
    (
        r"(\d+) bytes, at most (\d+) allowed",
        "有 {0} 字节,上限 {1}",
        "拆成两个程序,或缩短名称",
        "split the procedure, or shorten its names",
    ),
    ("does not read back as written", "编码后读回不同", "请报告此问题", "please report this"),
    (
        r"bad-shape \(what='(.+?)', expected=['\"](.+)['\"]\)",
        "{0} 不合格式,应为 {1}",
        "改为要求的写法或范围",
        "write it in that form, or within those bounds",
    ),
    (r"([a-z-]+ \(.+\))", "不合格式: {0}", "改正其写法", "mend its form"),
)


def fault_in_words(what: str, language: Language) -> tuple[str, str]:
    """A fault in one language, and what to do about it (empty where nothing is known)."""
    for pattern, zh, todo_zh, todo_en in FAULTS:
        match = re.fullmatch(pattern, what, re.DOTALL)
        if match is not None:
            if language == "zh":
                return zh.format(*match.groups()), todo_zh.format(*match.groups())
            return what, todo_en.format(*match.groups())
    return what, ""
