"""Sentences for what the machine, its admission and the transport say: news of submissions, faults of peers, alarms,
readiness.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

TEXTS: Final[Mapping[str, tuple[str, str]]] = {
    # answers to submissions
    "malformed-item": (
        "不是规范编码的提交({reason})。没有记录任何内容;请用 SDK 生成。",
        "These bytes are no canonical submission ({reason}). Nothing was recorded; let the SDK make it.",
    ),
    "bad-submission-signature": (
        "签名不成立。没有记录任何内容;请用登记的密钥重新签名。",
        "A signature does not hold. Nothing was recorded; sign again with the registered keys.",
    ),
    "already-pending": (
        "该提交已在等待,不必重发。",
        "This submission waits already; there is no need to send it again.",
    ),
    "seq-used": (
        "通道序号 {seq} 已被另一份提交占用(下一个是 {next_seq})。本份未记录;请用新的序号重新签名。",
        (
            "Seq {seq} of the lane was used by another submission (next is {next_seq}). "
            "This one was not recorded; sign it again with a new seq."
        ),
    ),
    "seq-pending": (
        "通道序号 {seq} 已有另一份提交在等待。本份未记录;同一序号只能签一份内容。",
        "Another submission waits under seq {seq} of the lane. This one was not taken; a seq carries one body only.",
    ),
    "seq-too-far": (
        "通道序号 {seq} 超前太多(下一个是 {next_seq},最多超前 {ahead})。请先提交前面的序号。",
        "Seq {seq} is too far ahead (next is {next_seq}, at most {ahead} ahead). Submit the earlier ones first.",
    ),
    "key-full": (
        "该密钥等待中的提交已达 {limit} 份。请稍后原样重发。",
        "{limit} submissions of this key wait already. Send the same bytes again later.",
    ),
    "mempool-full": (
        "节点的等待队列已满({items} 份)。请稍后原样重发。",
        "The node's queue is full ({items} submissions). Send the same bytes again later.",
    ),
    "client-too-fast": ("发送过快。请稍后原样重发。", "Too fast. Send the same bytes again a little later."),
    "too-many-checks": (
        "等待验签的提交过多。请稍后原样重发。",
        "Too many submissions wait for their signatures to be checked. Send the same bytes again later.",
    ),
    "not-running": ("节点正在停止。请改用其他成员的节点。", "The node is stopping. Use another member's node."),
    "quarantined": (
        "执行该提交时出现意外错误,已隔离并报警。没有记录任何内容;请联系节点运营者。",
        (
            "Executing this submission failed unexpectedly; it was set apart and reported. "
            "Nothing was recorded; ask the node's operator."
        ),
    ),
    # questions about the chain
    "unknown-submission": ("链上没有这份提交。", "This submission is not on the chain."),
    "unknown-block": ("还没有高度为 {height} 的区块。", "There is no block of height {height} yet."),
    "unknown-record": (
        "该提交没有第 {record} 条记录(共 {records} 条,结果 {result})。",
        "The submission has no record {record} (it has {records}, result {result}).",
    ),
    "unknown-rules": ("本链没有区块依此规则执行。", "No block of this chain was executed under these rules."),
    "below-base": (
        (
            "本节点由状态快照加入,只保存第 {first} 个区块起的链;所问的内容可能在此之前。"
            "请向其他成员的节点查询或重发,不会重复入链。"
        ),
        (
            "This node joined from a snapshot and holds the chain from block {first} on; what you ask for may stand "
            "below. Ask another member's node, or send the same bytes there: nothing is entered twice."
        ),
    ),
    "no-checkpoint": ("链上还没有任何区块。", "There is no block on the chain yet."),
    "not-older": ("高度 {older} 不早于 {newer}。", "Height {older} is not older than {newer}."),
    # readiness
    "starting": ("节点正在启动。", "The node is starting."),
    "stopped": ("节点已停止。", "The node has stopped."),
    "no-quorum": (
        "听不到成员 {missing},不足法定人数。请检查这些节点与网络。",
        "Members {missing} are not heard, so that there is no quorum. Check their nodes and the network.",
    ),
    "amnesia": (
        (
            "本节点不知道自己签过什么:只跟随、不签票,待法定人数的其他成员告知进度、本节点跟上之后会自行恢复。"
            "尚未告知:{missing}。请保持在线。"
        ),
        (
            "This node does not know what it signed: it follows and does not sign. Once a quorum of others has said "
            "how far it is, and this node has come as far, it signs again by itself. Not yet heard: {missing}. "
            "Keep it running."
        ),
    ),
    "syncing": (
        "正在追赶:高度 {height},其他成员已到 {best_height}。",
        "Catching up: at height {height}, others are at {best_height}.",
    ),
    "stalled": (
        "有提交在等待,却长时间没有新区块。听不到的成员:{missing}。请检查各成员的节点、时钟与网络。",
        (
            "Submissions wait, but no block has come for long. Not heard: {missing}. "
            "Check the members' nodes, clocks and network."
        ),
    ),
    "disk-low": (
        "数据所在磁盘的剩余空间不多了:少于 1 GiB 时告警,少于 128 MiB 时不再就绪,写满时节点停止。请腾出空间。",
        (
            "The disk of the data runs low: below 1 GiB the log warns, below 128 MiB the node is not ready, "
            "and a full disk stops it. Make room."
        ),
    ),
    # peers
    "peer-unreachable": (
        "连接不上成员 {peer}({address}):{reason}。会继续重试;请检查其节点、地址与证书。",
        "Member {peer} cannot be reached ({address}): {reason}. Still trying; check its node, address and certificate.",
    ),
    "peer-refused": (
        "{address} 的证书不属于任何成员,已拒绝。",
        "The certificate of {address} is no member's; refused.",
    ),
    "peer-other-genesis": (
        "成员 {peer} 使用另一份创世文件,已拒绝。请与其核对创世哈希。",
        "Member {peer} runs with another genesis; refused. Compare the genesis hash with it.",
    ),
    "peer-malformed": (
        "成员 {peer} 发来无法解读的字节({reason}),已断开。",
        "Member {peer} sent bytes that cannot be read ({reason}); disconnected.",
    ),
    "evidence-found": (
        "有证据表明成员 {peer} 在高度 {height} 作恶({guilt}),证据保存为 {note}。请通知各成员。",
        (
            "There is proof that member {peer} is guilty at height {height} ({guilt}); it is kept as {note}. "
            "Tell the members."
        ),
    ),
    # alarms
    "certificate-not-on-chain": (
        "链上登记的本成员证书不是 {path}:其他成员会拒绝连接,直到表决通过(member update)。",
        "The chain holds another certificate of this member than {path}: the others refuse it until they vote for it.",
    ),
    "joined-with-used-key": (
        "数据来自高度 {base} 的快照,而本节点的密钥此前已有席位,可能签过此处不知道的票:在其他成员证明安全之前不签。",
        (
            "The data come from a snapshot of height {base}, and the key of this node has held a seat: it may have "
            "signed what is not known here, and signs nothing before others show that it is safe."
        ),
    ),
    "no-seat-yet": (
        "本节点所知的链(高度 {height})上没有成员 {org}:请任一成员用名片提案 member add;通过之前其他成员拒绝连接。",
        (
            "The chain as this node knows it (height {height}) has no member {org}: a member proposes its card with "
            "member add; until that has passed the others refuse the connection."
        ),
    ),
    "own-vote-unknown": (
        (
            "出现了用本节点密钥签署、而本节点不知道的票(高度 {height})。本节点暂停签票,待其他成员证明安全后自行恢复;"
            "请查明数据是否由备份恢复、密钥是否在别处使用。"
        ),
        (
            "A vote signed with this node's key turned up that it does not know (height {height}). "
            "It does not sign before others show that it is safe; "
            "find out whether its data were restored or the key is used elsewhere."
        ),
    ),
    "key-used-elsewhere": (
        (
            "再次出现用本节点密钥签署、而本节点不知道的票(高度 {height}):另有程序正在使用这把密钥。本节点不再签票,"
            "也不会自行恢复;请停掉另一处,再运行 fazhi-node votes --renew。"
        ),
        (
            "Once more a vote signed with this node's key turned up that it does not know (height {height}): "
            "another process uses the key. This node signs nothing more and does not recover by itself; "
            "stop the other one, then run fazhi-node votes --renew."
        ),
    ),
    "amnesia-ended": (
        "法定人数的成员证明了高度 {height} 以前的进度:本节点从高度 {first} 起重新签票。",
        "A quorum vouched for the chain up to height {height}: this node signs again from height {first} on.",
    ),
    "item-quarantined": (
        "提交 {submission_id} 的执行出现意外错误,已隔离。请保存日志并报告。",
        "Executing the submission {submission_id} failed unexpectedly; it was set apart. Keep the log and report it.",
    ),
    "execution-failed": (
        "执行区块时出现意外错误。请保存日志并报告。",
        "Executing a block failed unexpectedly. Keep the log and report it.",
    ),
}
