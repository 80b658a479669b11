"""Sentences and help of the command ``fazhi``, ``{code: (中文, English)}``. Braces name parameters."""

from __future__ import annotations

from typing import Final

from .language import Pair

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
        "法治联盟链:核验收据、审计整条链、办理案件。退出码:0 成立,1 不成立,2 用法有误,3 无法判定,4 成立但有违反(case verdict)。",
        "The enforcement ledger 法治联盟链: verify receipts, audit a chain, record cases. Exit codes: 0 valid, 1 not valid, 2 usage, 3 could not decide, 4 valid and breached (case verdict).",
    ),
    # verify
    "verify": ("离线核验一份收据及其文件", "verify a receipt and its files, offline"),
    "verify-about": (
        "离线核验:文件、记录、签名、区块与成员沿革逐步重算,只信任您给出的创世哈希。证明的是上链后一致,不是内容属实。",
        "Offline: file, record, signatures, block and membership are recomputed step by step; the only thing trusted is the genesis hash that you give. It shows that the content is unchanged since it was recorded, not that it is true.",
    ),
    "verify-receipt": ("收据文件(.json)", "the receipt (.json)"),
    "verify-file": ("要比对的文件,可重复", "a file to compare, may be repeated"),
    "rules": ("检查、查看、比较、演练规则集", "check, show, compare and try out rule sets"),
    "rules-about": (
        "供编写规则集的人使用,全部离线。安装规则集见 fazhi-node rules。",
        "For people who write rule sets, all of it offline. To install one, see fazhi-node rules.",
    ),
    "supervise": ("列出各单位在办案件的全部期限", "every term that runs, of every agency's cases"),
    "supervise-about": (
        "逐件证明全部案件并列出其正在计算的期限,逾期在先;序号有缺的如实列出。案件有缺时退出码为 1。",
        "Prove every case and list the terms that run in it, overdue ones first; serials that are missing are named. Exit code 1 where cases are missing.",
    ),
    "statistics": ("按单位和时期统计案件", "figures of cases by agency and period"),
    "statistics-about": (
        "统计某时期开案的案件及其现状;计数由逐件证明的案件得出,序号有缺的如实列出。案件有缺时退出码为 1。",
        "Figures of the cases opened in a period, and what became of them, counted over cases each of which is proven; serials that are missing are named. Exit code 1 where cases are missing.",
    ),
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
    # the way to a chain
    "node": ("网关地址,可重复;也可用环境变量 {variable}", "gateway, may be repeated; or the variable {variable}"),
    "genesis-hash-or-variable": (
        "创世哈希(64 位十六进制);也可用环境变量 {variable}",
        "hash of the genesis (64 hex digits); or the variable {variable}",
    ),
    "token-file": (
        "访问令牌文件:一个令牌,或每行“网址 令牌”;也可用环境变量 {variable}",
        "file with the access token for reads, or with lines of “URL token”; or the variable {variable}",
    ),
    "devnet-of": (
        "连接该文件夹中的试验网络;也可用环境变量 {variable}",
        "connect to the devnet of this folder; or the variable {variable}",
    ),
    "outbox": (
        "发件箱文件,保存盐值与未送达内容(默认 {default};也可用环境变量 {variable})",
        "the outbox, which keeps salts and what is not delivered yet (default {default}; or the variable {variable})",
    ),
    # case
    "case": ("办理案件:每个步骤一条命令", "record a case: one command for each step"),
    "case-about": (
        "办理案件。步骤、条文、签署人与文书取自该程序的规则集;加 --help 查看每一步的要求。文件不离开本机,只有加盐承诺上链。",
        "Record a case. Steps, articles, signers and documents come from the procedure's rule set; see a step's --help for what it asks. Files stay here; only salted commitments go on the chain.",
    ),
    "procedure": (
        "程序: {known}(默认 {default}),或成员表决安装的程序",
        "procedure: {known} (default {default}), or one that the members have voted in",
    ),
    "number": ("案号", "docket number"),
    "case-org": ("立案单位代号,例如 zfj", "organisation that opened the case, such as zfj"),
    "case-org-own": ("立案单位代号(默认:签名人的单位)", "organisation that opened the case (default: the signer's)"),
    "case-submit": ("提交已会签的草稿", "submit a draft that has been cosigned"),
    "case-submit-about": (
        "提交一份草稿;--key 给出的密钥先行签名。应使用起草时的发件箱,收据所需的盐值在其中。",
        "Submit a draft; keys given with --key sign first. Use the outbox it was drafted with: the salts for its receipt are there.",
    ),
    "case-flush": ("送达发件箱中尚未送达的内容", "deliver what is still in the outbox"),
    "case-flush-about": (
        "送达早先命令留在发件箱中的内容;同一内容不会重复上链。",
        "Deliver what earlier commands left in the outbox; nothing is recorded twice.",
    ),
    "case-show": ("案件现状与进行中的期限(附证明)", "state of a case and its running deadlines, proven"),
    "case-trail": ("案件全部记录,证明无一遗漏", "every record of a case, proven to be all"),
    "step-file": ("要固定的文件,可重复;文件不离开本机", "a file to seal, may be repeated; it stays here"),
    "step-ref": (
        "所依据的提交的标识(64 位十六进制),可重复",
        "id of a submission that it refers to (64 hex digits), may be repeated",
    ),
    "step-field": (
        "要承诺的字段,例如 place=…,可重复;加盐,不以明文上链",
        "a field to commit to, such as place=…, may be repeated; salted, never in clear",
    ),
    "occurred-at": (
        "发生时间,带时区,例如 2026-03-02T09:14:07+08:00(默认:现在)",
        "when it happened, with its zone, such as 2026-03-02T09:14:07+08:00 (default: now)",
    ),
    "key-file": (
        "签名密钥文件,可重复;第一个属于记录单位",
        "key file of a signer, may be repeated; the first is the recording organisation's",
    ),
    "cosigner": (
        "将在另一设备上签名者的公钥,可重复;与 --draft 同用",
        "public key of one who signs on another device, may be repeated; with --draft",
    ),
    "draft-out": (
        "不提交,写成草稿文件交他人会签(内容保密)",
        "do not submit: write a draft for others to cosign (confidential)",
    ),
    "receipt-out": ("写入的收据文件", "where to write the receipt"),
    "draft": ("草稿文件", "the draft"),
    # cosign
    "cosign": ("在另一设备上会签草稿", "cosign a draft on another device"),
    "cosign-about": (
        "显示草稿内容,可与手中文件比对,确认后签名并写回。",
        "Show what a draft says, compare it with the files at hand, then sign and write it back.",
    ),
    "cosign-key": ("会签人的密钥文件", "key file of the cosigner"),
    "cosign-file": ("与草稿比对的文件,可重复", "a file to compare with the draft, may be repeated"),
    "cosign-out": ("写到另一文件(默认:写回原草稿)", "write to another file (default: back to the draft)"),
    "cosign-yes": ("不询问,直接签名", "sign without asking"),
    # receipt
    "receipt": ("取回收据,或制作披露较少的收据", "fetch a receipt, or make one that discloses less"),
    "receipt-about": ("取回收据,或制作披露较少的收据。", "Fetch a receipt, or make one that discloses less."),
    "receipt-get": ("取回早先提交的收据", "fetch the receipt of an earlier submission"),
    "receipt-get-about": (
        "从网关取回证明,与发件箱中的盐值合成收据,核验后保存。",
        "Fetch the proof from a gateway, join it with the salts of the outbox, verify, save.",
    ),
    "submission-id": ("提交编号(64 位十六进制)", "id of the submission (64 hex digits)"),
    "record-index": ("批量提交中的第几条记录,从 0 起", "which record of a batch, from 0"),
    "receipt-disclose": ("制作只披露指定字段的收据", "make a receipt that discloses only some fields"),
    "receipt-disclose-about": (
        "新收据证明同一条记录,但只打开指定的字段;其余仍是加盐承诺。",
        "The new receipt proves the same record but opens only the named fields; the rest stay salted commitments.",
    ),
    "disclose-only": (
        "要披露的字段,可重复,例如 file.1(默认:都不披露)",
        "a field to disclose, may be repeated, such as file.1 (default: none)",
    ),
    "hide-number": ("不披露案号", "do not disclose the docket number"),
    "receipt-destroy": (
        "销毁盐值:经批准的字段从此不能披露",
        "destroy salts: what was approved can never be disclosed again",
    ),
    "receipt-destroy-about": (
        "按一份 SALTGONE(盐值销毁)记录的收据销毁发件箱中的盐值;案件正在保全的不销毁。已交出的收据、草稿和备份不在其内。",
        "Destroy the salts in the outbox that the receipt of a record of SALTGONE names; nothing is while a legal hold stands. Receipts handed out before, drafts and backups are not reached.",
    ),
    # audit
    "audit": ("从创世起重新核对整条链", "re-check a whole chain from its genesis"),
    "audit-about": (
        "从创世起逐块重算:签名、执行结果、状态根、法定多数签署与成员沿革。不信任提供数据的节点。",
        "Recompute every block from the genesis: signatures, results, state roots, quorums and membership. The node that serves the data is not trusted.",
    ),
    "audit-archive": ("归档文件(fazhi-node export 写出)", "an archive, as written by fazhi-node export"),
    "audit-processes": (
        "核对签名的进程数(默认:处理器核数)",
        "processes that verify signatures (default: one a core)",
    ),
    "findings": ("列出链上记录的全部不规范事项", "list every irregularity that a chain records"),
    "findings-about": (
        "先审计整条链,再列出其中记录的不规范事项及条文。",
        "Audit the chain first, then list the irregularities that it records, with their articles.",
    ),
    "findings-severity": ("只列某一等级", "list only this severity"),
    "findings-limit": ("最多列出多少条(默认 {limit})", "list so many at most (default {limit})"),
    # devnet
    "devnet": ("在本机启动四个单位的试验网络", "a network of four agencies on this machine, to try things"),
    "devnet-about": (
        "试验网络:四个单位各一个节点,仅限本机回环地址;密钥不加密,请勿用于真实证据。",
        "A network to try things: a node for each of four agencies, on loopback only; keys are in the clear, so not for evidence.",
    ),
    "devnet-up": ("启动(首次生成密钥和创世)", "start it (the first time with new keys and a genesis)"),
    "devnet-down": ("停止全部节点", "stop all nodes"),
    "devnet-status": ("各节点状态", "state of each node"),
    "devnet-folder": ("网络所在文件夹(默认 {default})", "folder of the network (default {default})"),
}

ROLES: Final[dict[str, Pair]] = {
    "officer": ("执法人员", "officer"),
    "head": ("负责人", "head"),
    "reviewer": ("法制审核、行政复议人员", "legal reviewer"),
    "chair": ("听证主持人", "chair of the hearing"),
    "member": ("成员单位", "member"),
    "notary": ("公证员", "notary"),
    "supervisor": ("执法监督人员", "supervisor"),
    "clerk": ("书记员", "clerk"),
    "judge": ("审判人员", "judge"),
    "mediator": ("人民调解员", "people's mediator"),
    "grid": ("网格员", "grid worker"),
    "agent": ("经办人", "agent"),
    "capturer": ("取证人员", "capturer"),
    "banker": ("金融机构经办人", "banker"),
    "customer": ("客户", "customer"),
    "registrar": ("账户管理员", "registrar"),
    "volunteer": ("服务人员", "volunteer"),
    "station": ("服务点见证人", "service point"),
}

ORG_ROLES: Final[dict[str, Pair]] = {
    "judicial": ("司法行政机关", "judicial administration"),
    "enforcement": ("执法机关", "enforcement agency"),
    "notary": ("公证机构", "notary office"),
    "court": ("审判机关", "court"),
}
"""What organisations are among the members; a bureau's own words are shown as they are."""

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
    "case-of": ("在另一成员单位的案件中记录:{org}", "recorded in a case of another member: {org}"),
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
    "member-roles": ("{name}({roles})", "{name} ({roles})"),
    "member-since": ("{name}(创世后加入,角色不由收据证明)", "{name} (joined later; the receipt shows no role)"),
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
    "roles-since": (
        "成员单位的角色在创世之后是否经表决改变(所列为创世所载)",
        "whether a member's roles were changed by vote since the genesis, which is where those shown are from",
    ),
    "old-keys": (
        "历届成员中任何一届达到法定多数的密钥(含已停用的)未曾落入同一人之手",
        "that no quorum of keys of one membership, retired ones included, ever fell into one hand",
    ),
    "genesis": ("创世哈希 {hash} (由您提供)", "genesis hash {hash} (given by you)"),
}

CASE: Final[dict[str, Pair]] = {
    "recorded": (
        "已入链 {step} · 案内第 {place} 条 · 高度 {height} · {time}",
        "recorded {step} · entry {place} of the case · height {height} · {time}",
    ),
    "submission": ("提交编号 {id}", "submission {id}"),
    "receipt-saved": ("收据 {path}", "receipt {path}"),
    "try-verify": (
        "核验 fazhi verify {path} --genesis-hash {hash}",
        "verify with: fazhi verify {path} --genesis-hash {hash}",
    ),
    "pending": (
        "已签名并保存在发件箱,尚未得到链的答复;下次运行任何命令都会继续送达。编号 {id}",
        "signed and safe in the outbox; the chain has not answered yet. Any later command goes on delivering. Id {id}",
    ),
    "draft-saved": (
        "草稿 {path},等待 {missing} 会签: fazhi cosign {path} --key …",
        "draft {path} waits for {missing}: fazhi cosign {path} --key …",
    ),
    "draft-saved-complete": ("草稿 {path}", "draft {path}"),
    "flushed": (
        "已入链 {committed},被拒绝 {refused},尚无答复 {undecided}",
        "recorded {committed}, refused {refused}, not answered yet {undecided}",
    ),
    "draft-case": (
        "案件 {number} · {step} · 发生 {time} · 立案单位 {org}",
        "case {number} · {step} · happened {time} · case of {org}",
    ),
    "has-signed": ("已签名 {key}", "signed: {key}"),
    "to-sign": ("待签名 {key}", "to sign: {key}"),
    "file-matches": ("一致 {path}", "matches: {path}"),
    "sign-this": ("签名吗?[y/N]", "sign this? [y/N]"),
    "cosigned": (
        "已签名,写入 {path};提交: fazhi case submit {path}",
        "signed, written to {path}; submit with: fazhi case submit {path}",
    ),
    "cosigned-more": (
        "已签名,写入 {path};还缺 {missing} 个签名",
        "signed, written to {path}; {missing} signatures are missing",
    ),
    "title": ("案件 {number} · {title} · {org}", "case {number} · {title} · {org}"),
    "head": (
        "现处 {step},共 {count} 条记录;{year} 年第 {serial} 号案",
        "now at {step}, {count} records; case {serial} of {year}",
    ),
    "as-of": ("截至高度 {height}({time})", "as of height {height} ({time})"),
    "clock": (
        "期限 {step} 不迟于 {due}(自 {start} 起 {term},{article})",
        "deadline: {step} by {due} ({term} from {start}, {article})",
    ),
    "clock-paused": (
        "期限 {step} 中止,现无届满日(自 {start} 起 {term},{article})",
        "deadline: {step}, suspended, no day for now ({term} from {start}, {article})",
    ),
    "clock-no-calendar": (
        "期限 {step} 届满日取决于 {year} 年的工作日历(自 {start} 起 {term},{article})",
        "deadline: {step}, on a day that the calendar of {year} decides ({term} from {start}, {article})",
    ),
    "salts-destroyed": (
        "提交 {id} 第 {record} 条:已销毁 {fields} 的盐值",
        "submission {id}, record {record}: salts destroyed of {fields}",
    ),
    "column-number": ("序号", "no."),
    "column-step": ("步骤", "step"),
    "column-occurred": ("发生(声明)", "happened (stated)"),
    "column-recorded": ("入链(区块)", "recorded (block)"),
    "column-height": ("高度", "height"),
    "column-who": ("签署", "signed by"),
    "findings": ("发现 {count} 条", "findings: {count}"),
    "no-findings": ("发现 无", "findings: none"),
    "complete": ("已证明以上 {count} 条即全部记录,", "these {count} records are proven to be all, "),
}

AUDIT: Final[dict[str, Pair]] = {
    "clean": (
        "无异常  CLEAN  高度 1–{height},签名、结果、状态根与法定多数签署逐块重算一致",
        "CLEAN  heights 1–{height}: signatures, results, state roots and quorums recomputed block by block (无异常)",
    ),
    "faulty": ("有异常  FAULTY  高度 {height}: {reason}", "FAULTY  height {height}: {reason} (有异常)"),
    "until": ("此前高度 1–{height} 核对一致", "up to there, heights 1–{height} hold"),
    "counts": (
        "提交 {submissions}(被拒绝 {refused}) · 记录 {records} · 成员变更 {changes} 次",
        "submissions {submissions} (refused {refused}) · records {records} · changes of membership {changes}",
    ),
    "findings": ("发现 {count} 条: {findings} → fazhi findings", "findings {count}: {findings} → fazhi findings"),
    "no-findings": ("发现 无", "findings: none"),
    "head": ("末块 {hash} · 状态根 {root} · {time}", "head {hash} · state root {root} · {time}"),
    "effort": (
        "核对签名 {signatures} 个,{rate} 签名/秒,用时 {seconds} 秒",
        "{signatures} signatures verified, {rate} a second, in {seconds} s",
    ),
    "not-proven": (
        "未证明: 内容是否属实;上链之前是否被改动;是否有更新的区块",
        "Not proven: whether the content is true; whether it was altered before it was recorded; whether there are newer blocks",
    ),
    "genesis": ("创世哈希 {hash} (由您提供)", "genesis hash {hash} (given by you)"),
}

PROGRESS: Final[dict[str, Pair]] = {
    "sealing": ("固定文件", "sealing"),
    "auditing": ("审计", "auditing"),
}

MESSAGES: Final[dict[str, Pair]] = {
    "own-fault": (
        "程序自身出错({what},{where}),未得出任何结论;请报告此信息",
        "this program failed ({what}, {where}) and decided nothing; please report this",
    ),
    "command-line": ("{what}。用法见 {command} --help", "{what}. See {command} --help"),
    "bad-hash": ("{option} 应为 64 位十六进制数,不是“{value}”", "{option} takes 64 hex digits, not “{value}”"),
    "verdict-of-nothing": (
        "没有案卷文件或收据“{case}”;如果它是案号,请加 --org 立案单位",
        "there is no trail file or receipt “{case}”; if it is a docket number, add --org and who opened the case",
    ),
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
    "no-genesis-hash": (
        "缺少创世哈希:请用 --genesis-hash 或环境变量 {variable} 给出",
        "the genesis hash is needed: use --genesis-hash or the variable {variable}",
    ),
    "no-node": (
        "缺少网关地址:请用 --node、--devnet 或环境变量 {variable} 给出",
        "a gateway is needed: use --node, --devnet or the variable {variable}",
    ),
    "no-source": (
        "缺少要审计的链:请用 --archive 给出归档文件,或用 --node、--devnet 或环境变量 {variable} 给出网关",
        "name the chain: an archive with --archive, or a gateway with --node, --devnet or the variable {variable}",
    ),
    "bad-date": ("“{value}”不是日期,例如 2026-03-02", "“{value}” is no date, such as 2026-03-02"),
    "procedure-needs-chain": (
        "“{procedure}”不是内置程序({known});表决安装的程序须向链查询:用 --node 和 --genesis-hash 或 --devnet 给出",
        "“{procedure}” is no built-in procedure ({known}); one that was voted in is learnt from its chain: name that with --node and --genesis-hash, or --devnet",
    ),
    "bad-moment": (
        "“{value}”不是带时区的时间,例如 2026-03-02T09:14:07+08:00",
        "“{value}” is no time with its zone, such as 2026-03-02T09:14:07+08:00",
    ),
    "bad-field-option": (
        "“{value}”应为 名称=内容,名称为小写字母、数字和 _,且不是 file",
        "“{value}” must be name=text; names are lower-case letters, digits and _, and not file",
    ),
    "cosigner-needs-draft": (
        "--cosigner 与 --draft 同用:他人须先签名,草稿才能提交",
        "--cosigner goes with --draft: they have to sign before it can be submitted",
    ),
    "archive-or-node": ("--archive 与 --node 只能给出其一", "give either --archive or --node"),
    "bad-token-file": (
        "令牌文件“{path}”应为一个令牌,或每行“网址 令牌”",
        "“{path}” must hold one token, or lines of “URL token”",
    ),
    "confirm-with-yes": (
        "没有终端可供确认:已看过内容则加 --yes",
        "there is no terminal to ask: add --yes once you have read it",
    ),
    "not-confirmed": ("未签名", "not signed"),
    "algorithm-missing": (
        "无法判定:本机不能计算收据所用的摘要算法 {algorithm}",
        "could not decide: this machine cannot compute {algorithm}, which the receipt uses",
    ),
    "suite-missing": (
        "无法判定:本程序不支持该链的密码套件 {suite},请用支持它的核验程序",
        "could not decide: this program lacks the chain's cryptographic suite {suite}; use a verifier that has it",
    ),
}

TODO: Final[dict[str, Pair]] = {
    "not-connected": ("稍后用 fazhi case flush 送达", "deliver it later with fazhi case flush"),
    "not-decided": ("稍后用 fazhi case flush 查询结果", "ask for the result later with fazhi case flush"),
    "too-busy": ("稍后用 fazhi case flush 送达", "deliver it later with fazhi case flush"),
    "not-authorised": (
        "请用 --token-file 给出令牌;令牌由该节点的运维人员发放(其 keys/read-tokens)",
        "give it with --token-file; that node's operator hands it out (its keys/read-tokens)",
    ),
    "unknown-case": ("请核对案号、程序和立案单位", "check number, procedure and organisation"),
    "unknown-org": ("请确认该密钥已登记", "have the key registered"),
    "signature-missing": ("请其持有人运行 fazhi cosign", "have its holder run fazhi cosign"),
    "draft-frozen": ("起草时用 --cosigner 列明全部签名人", "name all signers with --cosigner when drafting"),
    "receipt-failed": ("换一个网关后用 fazhi receipt get 重取", "fetch it from another gateway with fazhi receipt get"),
}
"""What to do, in the words of the command line, where the SDK speaks to programmers."""
