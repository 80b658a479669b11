"""Help and output of ``fazhi-node``, in Chinese and English. Chosen before the parser is built, since its texts are
fixed by then.
"""

from __future__ import annotations

from typing import Final

from .texts import Language

CLI_TEXTS: Final[dict[str, tuple[str, str]]] = {
    "about": ("法治联盟链的成员节点", "A member's node of 法治联盟链."),
    "lang": ("输出语言(zh 或 en)", "language of the output (zh or en)"),
    "home": ("节点目录(默认 {home},或环境变量 {variable})", "the node's directory (default {home}, or {variable})"),
    "init": (
        "生成密钥、TLS 证书、配置和交给其他成员的名片",
        "make keys, TLS certificate, configuration and the card for the others",
    ),
    "genesis": (
        "由全体成员的名片组成创世文件,打印须公布的哈希",
        "make the genesis file of all members' cards; prints the hash to publish",
    ),
    "join": (
        "由状态快照加入,不必从创世重放;核验全部内容之后才启用",
        "join from a state snapshot instead of replaying the chain; nothing is used before all of it is verified",
    ),
    "join_source": (
        "快照文件,或成员网关的地址(https://主机:端口)",
        "the snapshot's file, or the address of a member's gateway (https://host:port)",
    ),
    "join_token": (
        "该网关的读取令牌所在的文件(或变量 {variable})",
        "file with the token for reads of that gateway (or the variable {variable})",
    ),
    "run": ("运行节点,直到收到 SIGTERM 或 SIGINT", "run the node until SIGTERM or SIGINT"),
    "status": ("本机节点的状态(就绪时退出码为 0)", "state of the node of this machine (exit code 0 when ready)"),
    "check": (
        "核验已停止的节点的数据:每个区块、证书、状态、历史与投票日志,并说明怎么办",
        "verify the data of a stopped node: every block, certificate, the state, history and vote log; say what to do",
    ),
    "export": ("把整条链写成一个归档文件,供审计", "write the whole chain into one archive file, for an audit"),
    "member": (
        "提案增补或移除成员,更换密钥、证书或地址,改变角色(提案即投赞成票)",
        "propose to add or remove a member, or another key, certificate, address or role (to propose is to vote yes)",
    ),
    "member_action": (
        "增补、移除、更换密钥、更换证书或地址、改变角色",
        "add, remove, replace-key, update, roles",
    ),
    "member_what": ("名片;移除和改变角色时为组织代号", "a card; for remove and roles the organisation's id"),
    "member_role": (
        "该组织此后的角色,可重复(roles;不给出即没有角色),例如 notary、judicial",
        "a role that the organisation then has, may be repeated (roles; none given: it has none): notary, judicial",
    ),
    "officer": (
        "登记或停用本成员及其下属单位的人员、设备密钥",
        "register or revoke a key of an officer or device of this member or its units",
    ),
    "officer_action": ("登记(名片)、停用(公钥)", "register (a card), revoke (a public key)"),
    "officer_what": (
        "fazhi keygen 生成的登记卡;停用时为公钥",
        "the card that fazhi keygen makes; for revoke the public key",
    ),
    "officer_done": (
        "已登记 {org} 的密钥 {key}({roles}),自下一区块起可以签署。",
        "Registered the key {key} of {org} ({roles}): it signs from the next block on.",
    ),
    "officer_revoked": ("已停用密钥 {key}:此后不能再签署。", "Revoked the key {key}: it signs nothing any more."),
    "unit": ("登记本成员的下属单位", "register a unit of this member"),
    "unit_org": ("单位代号:成员.单位,例如 zfj.z1", "its id: member.unit, such as zfj.z1"),
    "unit_done": ("已登记 {org} {name}。", "Registered {org} {name}."),
    "blocks": ("表决截止于此后多少个区块", "votes count for so many blocks from now on"),
    "parameters": ("提案修改链参数", "propose to change parameters of the chain"),
    "rules": (
        "提案安装规则集或某年的工作日历(TOML 文件)",
        "propose a rule set, or the calendar of working days of a year, out of a TOML file",
    ),
    "rules_file": ("规则集或工作日历", "the rule set, or the calendar"),
    "proposals": ("待表决的提案", "what may be voted on"),
    "proposals_all": (
        "历来的全部提案及其表决结果,而不仅是待表决的",
        "every proposal that was ever made, with what came of it, not only what is open",
    ),
    "proposal_came_to": ("  {outcome}(高度 {height})", "  {outcome} (height {height})"),
    "vote": ("对提案表决;可改投,对自己的提案投 no 即撤回", "vote on a proposal; no to one's own withdraws it"),
    "vote_id": ("提案编号,须完整", "the proposal's id, all of it"),
    "vote_answer": ("赞成或反对", "yes or no"),
    "renew": (
        "为本成员生成新的密钥、证书或地址,以及交付表决的名片;表决通过之前不会启用",
        "make another key, certificate or address for this member, and the card to vote on; not used before the vote",
    ),
    "renew_key": ("新的账本密钥", "another ledger key"),
    "renew_tls": ("新的 TLS 密钥与证书", "another TLS key and certificate"),
    "renew_url": ("网关的新地址", "another public address of the gateway"),
    "renew_p2p": ("其他成员连接的新地址", "another address for the other members"),
    "renew_finish": (
        "节点停止后:以新换旧,并销毁已停用的密钥",
        "of a stopped node: put the new in the place of the old, and destroy the retired key",
    ),
    "renew_done": (
        "名片:{card}。交给任一成员提案:换密钥用 member replace-key,证书与地址用 member update。",
        "Card: {card}. Any member can propose it: member replace-key for a key, member update for the rest.",
    ),
    "renew_finished": ("已启用 {path},旧的已销毁。", "{path} is in its place now, the old one is destroyed."),
    "no_proposals": ("没有待表决的提案。", "There is nothing to vote on."),
    "proposal_line": (
        "{id}\n  {kind} {what}\n  {org} 提出,截止高度 {until};须 {quorum} 票;赞成 {yes};反对 {no}",
        "{id}\n  {kind} {what}\n  by {org}, up to height {until}; {quorum} needed; yes {yes}; no {no}",
    ),
    "vote_done": (
        "{kind} {id}:赞成 {yes}、反对 {no},须 {quorum} 票;{outcome}。",
        "{kind} {id}: {yes} yes, {no} no, {quorum} needed; {outcome}.",
    ),
    "proposal_open": ("待其他成员表决", "waiting for the others"),
    "proposal_passed": ("已通过", "passed"),
    "proposal_rejected": ("已否决", "rejected"),
    "proposal_withdrawn": ("已撤回", "withdrawn"),
    "votes": (
        "投票日志:数据或守护文件丢失之后,由操作者决定(节点须已停止)",
        "the vote log: what an operator decides after data or guard were lost (of a stopped node)",
    ),
    "org": ("组织代号,小写 ASCII,例如 notary", "organisation id, lower-case ASCII, such as notary"),
    "name": ("组织名称", "name of the organisation"),
    "name_en": ("英文名称(默认:组织代号)", "English name (default: the id)"),
    "role": ("成员角色,可重复,例如 notary", "role of the member, may be repeated, such as notary"),
    "url": ("网关的公开地址(默认 {default})", "public address of the gateway (default {default})"),
    "p2p": (
        "其他成员连接的地址(默认:同一主机,端口 7444)",
        "where other members connect to (default: same host, port 7444)",
    ),
    "suite": ("算法套件", "cryptographic suite"),
    "open_reads": ("任何人可读,无需令牌", "everybody may read, without a token"),
    "init_genesis": (
        "加入已有的链:其创世文件;名片只对该链有效,交给成员表决",
        "join a chain that exists: its genesis file; the card is for that chain alone, and its members vote on it",
    ),
    "passphrase_file": ("从该文件第一行读取口令", "take the passphrase from the first line of this file"),
    "no_passphrase": ("密钥不加密:仅供开发", "leave the key unencrypted: for development only"),
    "cards": ("成员名片", "members' cards"),
    "officer_card": ("人员或设备密钥的名片,可重复", "card of an officer's or device's key, may be repeated"),
    "genesis_out": ("创世文件(不覆盖)", "the genesis file (never overwritten)"),
    "chain_name": ("链的名称", "name of the chain"),
    "procedure": ("内置程序,可重复(默认 penalty)", "built-in procedure, may be repeated (default penalty)"),
    "parameter": ("链参数 名称=整数,可重复", "parameter of the chain, name=integer, may be repeated"),
    "time_ms": (
        "创世时间,1970 年以来的毫秒数(默认:现在)",
        "time of the genesis, milliseconds since 1970 (default: now)",
    ),
    "run_genesis": ("创世文件(默认:配置中的 genesis)", "the genesis file (default: genesis of the configuration)"),
    "run_check": ("只检查并说明将做什么,不启动", "check, tell what would be done, start nothing"),
    "check_set_aside": (
        "链有损坏时把它移开(不删除);投票日志保留,节点下次启动时从其他成员重新取得",
        "move a damaged chain away (nothing is deleted); the vote log stays, the next start fetches the chain anew",
    ),
    "votes_renew": (
        "以空白、失忆的投票日志重新开始(守护文件丢失或损坏,或密钥曾在别处使用);总是安全,只要密钥不再用于别处",
        (
            "begin again with an empty, amnesiac vote log (guard lost or damaged, or the key was used elsewhere); "
            "always safe if the key is used nowhere else"
        ),
    ),
    "votes_sign_from": (
        "由操作者担保:从该高度起本节点从未签过票。只用于法定人数的节点同时失忆时,见 docs/operations.md",
        (
            "the operator vouches that this node has signed nothing from that height on; "
            "only where a quorum forgot at once, see docs/operations.md"
        ),
    ),
    "json": ("以 JSON 输出", "print JSON"),
    "archive_out": ("归档文件(不覆盖)", "the archive file (never overwritten)"),
    # output
    "init_done": (
        (
            "{name}({org})的节点目录 {home} 已建立。\n"
            "  公钥  {key}\n"
            "  名片  {card}  ← 交给其他成员\n"
            "下一步:收齐名片后由一人运行 fazhi-node genesis *.card -o genesis.fazhi,"
            "各自放入节点目录,再 fazhi-node run"
        ),
        (
            "The home {home} of {name} ({org}) is ready.\n"
            "  key   {key}\n"
            "  card  {card}  <- hand it to the other members\n"
            "Next: one member runs fazhi-node genesis *.card -o genesis.fazhi with everybody's cards; "
            "each puts that file into the home and starts fazhi-node run"
        ),
    ),
    "init_joining": (
        (
            "{name}({org})的节点目录 {home} 已建立,用于加入已有的链。\n"
            "  公钥  {key}\n"
            "  名片  {card}  ← 交给任一成员,由其运行 fazhi-node member add;请与各成员当面核对公钥\n"
            "下一步:fazhi-node run(从创世追赶),或先 fazhi-node join(由快照加入)。"
            "表决通过之前其他成员拒绝连接,节点会不停重试"
        ),
        (
            "The home {home} of {name} ({org}) is ready to join the chain.\n"
            "  key   {key}\n"
            "  card  {card}  <- hand it to a member, who runs fazhi-node member add; compare the key\n"
            "Next: fazhi-node run (it replays the chain), or fazhi-node join first (from a snapshot). "
            "Until the vote has passed the others refuse it, and it goes on trying"
        ),
    ),
    "init_clear": (
        "警告:密钥未加密(--no-passphrase),仅可用于开发。",
        "Warning: the key is not encrypted (--no-passphrase). For development only.",
    ),
    "init_local": (
        "注意:未给出 --url,名片写明 {url} 与 {p2p},其他机器连不上,仅供本机试用。正式使用请另建节点目录并给出 --url。",
        (
            "Note: without --url the card says {url} and {p2p}, which no other machine can reach: for a trial on this "
            "one. For real use make another home, with --url."
        ),
    ),
    "ask_passphrase": ("密钥口令: ", "Passphrase of the key: "),
    "ask_again": ("再次输入: ", "Once more: "),
    "genesis_done": (
        (
            "{path}:{members} 个成员,{officers} 个人员密钥,可容忍 {faulty} 个成员任意作恶。\n"
            "创世哈希(请公布,并由每个成员核对):"
        ),
        (
            "{path}: {members} members, {officers} officers' keys, tolerates {faulty} members at fault in any way.\n"
            "Genesis hash (publish it, and let every member compare it):"
        ),
    ),
    "few_members": (
        "提示:少于 4 个成员时,任何一个成员作恶或停机都会使链停止。",
        "Note: with fewer than 4 members any single one at fault stops the chain.",
    ),
    "check_done": (
        (
            "配置可用。将会:\n"
            "  以 {org} 的身份加入 {name}(创世 {genesis},{members} 个成员)\n"
            "  在 {p2p} 等待其他成员(gRPC,双向 TLS,固定证书)\n"
            "  在 {http} 提供网关({tls},读取:{reads})\n"
            "  数据存于 {data}({store})"
        ),
        (
            "The configuration is fine. This would\n"
            "  join {name} as {org} (genesis {genesis}, {members} members)\n"
            "  await the other members at {p2p} (gRPC, mutual TLS, pinned certificates)\n"
            "  serve the gateway at {http} ({tls}, reads: {reads})\n"
            "  keep its data in {data} ({store})"
        ),
    ),
    "join_hashes": ("区块哈希 {done}/{of}", "block hash {done} of {of}"),
    "join_entries": ("状态条目 {done}", "state entry {done}"),
    "join_done": (
        (
            "{path} 已建立:高度 {height},区块 {hash},时间 {time}({entries} 个状态条目,{seconds} 秒)。\n"
            "请与另一家成员核对该高度的区块哈希,再运行 fazhi-node run。"
            "本节点不保存更早的区块,所问在此之前者请向其他成员查询。"
        ),
        (
            "{path} is made: height {height}, block {hash}, time {time} ({entries} state entries, {seconds} s).\n"
            "Compare the block hash of that height with another member's, then start fazhi-node run. "
            "Blocks up to it are not here: other members answer for them."
        ),
    ),
    "check_good_base": (
        "{path}:高度 {height},由快照加入(区块自 {first} 起),{entries} 个条目,全部与证书相符({seconds} 秒)",
        (
            "{path}: height {height}, joined from a snapshot (blocks from {first} on), {entries} entries, "
            "all as certified ({seconds} s)"
        ),
    ),
    "check_blocks": ("区块 {done}/{of}", "block {done} of {of}"),
    "check_state": ("状态条目 {done}/{of}", "state entry {done} of {of}"),
    "check_entries": ("存储条目 {done}", "stored entry {done}"),
    "check_good": (
        "{path}:高度 {height},{entries} 个条目,全部与证书相符({seconds} 秒)",
        "{path}: height {height}, {entries} entries, all as certified ({seconds} s)",
    ),
    "check_none": ("{path}:还没有链,节点启动后会取得", "{path}: no chain yet; a start fetches it"),
    "check_bad": (
        "{path}:{count} 处损坏(高度 {height},{seconds} 秒)。{advice}",
        "{path}: {count} damaged (height {height}, {seconds} s). {advice}",
    ),
    "check_problem": ("  {kind}(高度 {height}):{detail}", "  {kind} (height {height}): {detail}"),
    "check_problem_0": ("  {kind}:{detail}", "  {kind}: {detail}"),
    "check_more": ("  另有 {count} 处", "  and {count} more"),
    "check_advice": (
        "请检查磁盘,再运行 fazhi-node check --set-aside:损坏的链被移开,投票日志保留,下次启动从其他成员重新取得。",
        (
            "Check the disk, then run fazhi-node check --set-aside: the damaged chain is moved away, the vote log "
            "stays, and the next start fetches the chain from the other members."
        ),
    ),
    "check_moved": (
        "损坏的链已移到 {path}。请启动节点(从其他成员重新取得),或先 fazhi-node join。",
        "The damaged chain was moved to {path}. Start the node (it fetches the chain anew), or fazhi-node join first.",
    ),
    "check_votes": (
        "投票日志:与守护文件相符,从高度 {floor} 起签票,留有 {votes} 票",
        "vote log: as the guard knows it, signs from height {floor} on, {votes} votes kept",
    ),
    "check_amnesiac": (
        "投票日志:失忆,待其他成员证明后自行恢复(须启动节点)",
        "vote log: amnesiac; recovers by itself once others have vouched (start the node)",
    ),
    "check_silenced": (
        "密钥曾在别处使用:请停掉另一处,再运行 fazhi-node votes --renew",
        "the key was used elsewhere: stop that process, then run fazhi-node votes --renew",
    ),
    "check_votes_bad": ("投票日志:{reason}", "vote log: {reason}"),
    "votes_renewed": (
        "投票日志与守护文件已重建({path})。节点将只跟随,待法定人数的其他成员告知进度后自行恢复签票。",
        (
            "Vote log and guard were made anew ({path}). The node follows, and signs again by itself "
            "once a quorum of others has said how far it is."
        ),
    ),
    "votes_vouched": (
        "本节点将从高度 {height} 起签票,以操作者的担保为准。",
        "This node signs from height {height} on, on the operator's word.",
    ),
    "reads_open": ("开放", "open to everybody"),
    "reads_token": ("需要令牌", "with a token"),
    "status_line": (
        "{org} {kind} · 高度 {height}({age}) · 轮次 {round} · 成员 {peers} · 等待 {mempool} · {disk} · {ready}",
        "{org} {kind} · height {height} ({age}) · round {round} · peers {peers} · mempool {mempool} · {disk} · {ready}",
    ),
    "seat_seated": ("验证者", "validator"),
    "seat_joining": ("跟随者(下一高度起有席位)", "follower, seated from the next height on"),
    "seat_leaving": ("验证者(最后一个高度)", "validator for the last time"),
    "seat_silent": ("验证者(此刻不签票)", "validator, not signing now"),
    "seat_former": ("跟随者(已被表决移除,不再签票)", "follower: voted out, signs nothing"),
    "seat_none": ("跟随者(尚非成员)", "follower: no member yet"),
    "ago": ("{seconds} 秒前", "{seconds} s ago"),
    "ready": ("就绪", "ready"),
    "not_ready": ("未就绪: {reason}", "not ready: {reason}"),
    "no_block": ("尚无区块", "no block yet"),
    "export_done": (
        "{path}:高度 1–{height},{bytes} 字节。审计:fazhi audit --archive {path} --genesis-hash {genesis}",
        "{path}: heights 1–{height}, {bytes} bytes. Audit: fazhi audit --archive {path} --genesis-hash {genesis}",
    ),
}


def cli_text(key: str, language: Language, /, **values: object) -> str:
    """One text of the command line."""
    text = CLI_TEXTS[key][0 if language == "zh" else 1]
    return text.format(**values) if values else text
