"""Sentences for the codes of the storage, Chinese and English: what happened, and what to do. Braces name
parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

MESSAGES: Final[Mapping[str, tuple[str, str]]] = {
    "disk-full": (
        "{path} 所在磁盘已满。请腾出空间后重新启动,已确认的内容没有丢失。",
        "The disk of {path} is full. Make room and start again; nothing that was acknowledged is lost.",
    ),
    "disk-failed": (
        "磁盘出错({path},{what}:{error})。节点已停止,不会重试:出错后的磁盘可能谎报成功。请检查磁盘后再启动。",
        "The disk failed ({path}, {what}: {error}). The node has stopped and does not retry: a disk that failed may lie about it. Check the disk, then start again.",
    ),
    "store-stopped": (
        "{path} 已关闭,或先前的写入失败,不再写入。请看此前的错误,排除后重新启动。",
        "{path} was closed, or an earlier write to it failed; nothing more is written. See the error before this one, and start again.",
    ),
    "store-locked": (
        "{path} 正被另一个进程使用(进程号 {process},0 为未知)。请先停止它;两个节点不能共用一个目录或一把密钥。",
        "{path} is in use by another process (id {process}, 0 if unknown). Stop it first; two nodes never share a directory or a key.",
    ),
    "store-foreign": (
        "{path} 不是节点的数据目录(其中有 {found})。请指定空目录,或原来的数据目录。",
        "{path} is not a node's data directory (it holds {found}). Name an empty directory, or the one used before.",
    ),
    "store-missing": (
        "{path} 中没有数据:请检查路径;节点若从未运行过,就还没有数据。",
        "There is no data in {path}: check the path; a node that has never run has none yet.",
    ),
    "store-empty": (
        "数据目录中还没有链。请先启动一次节点。",
        "The data directory holds no chain yet. Start the node once.",
    ),
    "store-other-genesis": (
        "数据属于另一条链:其创世哈希为 {recorded},现在要求 {expected}。请使用该链的数据目录,或换回原来的创世文件。",
        "The data are another chain's: its genesis hash is {recorded}, wanted is {expected}. Use that chain's data directory, or its genesis file.",
    ),
    "store-other-backend": (
        "{path} 由 {recorded} 写成,配置却要求 {expected}。请把 store 改为 auto 或 {recorded}。",
        "{path} was written by {recorded}, but the configuration asks for {expected}. Set store to auto or {recorded}.",
    ),
    "store-unknown-format": (
        "{path} 的格式({found})本版本不能读取。请使用写下它的版本或更新的版本。",
        "This release cannot read the format of {path} ({found}). Use the release that wrote it, or a newer one.",
    ),
    "store-backend-missing": (
        "{path} 需要 {backend},而本机没有安装。请安装它,或让节点从其他成员重新同步到新目录。",
        "{path} needs {backend}, which is not installed here. Install it, or let the node fetch the chain anew into an empty directory.",
    ),
    "store-corrupt": (
        "数据损坏({what}):读到的不是写下的内容。请检查磁盘,再用 fazhi-node check --set-aside 移开损坏的链;投票日志保留,节点会从其他成员重新取得全链。请勿复制旧备份。",
        "The data are damaged ({what}): what is read is not what was written. Check the disk, then move the damaged chain away with fazhi-node check --set-aside: the vote log stays, and the node fetches the chain from the other members. Do not copy an old backup.",
    ),
    "vote-log-corrupt": (
        "投票日志 {path} 在 {offset} 处损坏({what})。本节点可能已签过现在读不出的票;在其他成员证明安全之前不得再签。",
        "The vote log {path} is damaged at {offset} ({what}). This node may have signed what it can no longer read, and must not sign before others show that it is safe.",
    ),
    "votes-other-owner": (
        "{path} 属于另一把签名密钥。请检查密钥与数据目录是否配套。",
        "{path} belongs to another signing key. Check that key and data directory go together.",
    ),
    "guard-missing": (
        "缺少守护文件 {path}。没有它就无法知道投票日志是不是最新的,节点因此不启动。请把它与密钥一同放回原处;已丢失且密钥未用于别处,可运行 fazhi-node votes --renew。",
        "The guard {path} is missing. Without it nobody can tell whether the vote log is the newest, so the node does not start. Put it back beside the key; if it is lost, and the key is used nowhere else, run fazhi-node votes --renew.",
    ),
    "guard-corrupt": (
        "守护文件 {path} 已损坏,无法知道投票日志是不是最新的。请检查磁盘;密钥未用于别处时,运行 fazhi-node votes --renew。",
        "The guard {path} is damaged, so nobody can tell whether the vote log is the newest. Check the disk; if the key is used nowhere else, run fazhi-node votes --renew.",
    ),
    "guard-present": (
        "{path} 已存在:这把密钥可能已经签过票,不能再建新的投票日志。",
        "{path} exists: this key may have signed votes already, so a new vote log is not made.",
    ),
    "vote-log-present": (
        "{path} 已存在,却没有守护文件。这把密钥可能已经签过票;请找回守护文件,或先移走该日志并按失忆节点重新加入。",
        "{path} exists without its guard. This key may have signed votes; find the guard, or move the log away and join as a node that has forgotten.",
    ),
    "vote-log-missing": (
        "守护文件记得投票日志,而 {path} 不在。本节点不知道自己签过什么,在其他成员证明安全之前不签。",
        "The guard knows of a vote log, but {path} is not there. This node does not know what it signed, and signs nothing before others show that it is safe.",
    ),
    "vote-log-other": (
        "{path} 不是守护文件所记的投票日志。本节点不知道自己签过什么,在其他成员证明安全之前不签。",
        "{path} is not the vote log that the guard knows. This node does not know what it signed, and signs nothing before others show that it is safe.",
    ),
    "vote-log-rolled-back": (
        "{path} 比守护文件旧(记有 {log_votes} 票,应至少 {guard_votes} 票):数据目录像是从备份恢复的。在其他成员证明安全之前不签。",
        "{path} is older than its guard ({log_votes} votes, where {guard_votes} were signed): the data directory looks restored from a backup. Nothing is signed before others show that it is safe.",
    ),
    "guard-rolled-back": (
        "守护文件比投票日志 {path} 旧(第 {guard_epoch} 次,日志已到第 {log_epoch} 次):密钥目录像是从备份恢复的。在其他成员证明安全之前不签。",
        "The guard is older than the vote log {path} (opening {guard_epoch}, the log is at {log_epoch}): the key directory looks restored from a backup. Nothing is signed before others show that it is safe.",
    ),
    "vote-below-floor": (
        "高度 {height} 已有定论(下限 {floor}),不再为它签票。",
        "Height {height} is decided (the floor is {floor}); nothing more is signed for it.",
    ),
    "vote-while-amnesiac": (
        "本节点尚不知道自己签过什么,不为高度 {height} 签票。",
        "This node does not know yet what it signed, and signs nothing for height {height}.",
    ),
    "vote-too-large": (
        "高度 {height} 的投票记录有 {bytes} 字节,超过上限。",
        "The vote record of height {height} has {bytes} bytes, more than the limit.",
    ),
    "vote-log-full": (
        "投票日志已有 {bytes} 字节而高度 {height} 仍无定论。请检查其他成员是否在线。",
        "The vote log has {bytes} bytes and height {height} is still undecided. See whether the other members are there.",
    ),
    "not-a-snapshot": (
        "这不是状态快照。请用 curl 从成员网关的 /v1/snapshot 重新下载(检查所得是否为错误信息)。",
        "This is no snapshot. Fetch it again from /v1/snapshot of a member's gateway (see whether an error was saved instead).",
    ),
    "snapshot-cut-short": (
        "快照不完整。请重新下载,或向另一个成员索取。",
        "The snapshot ends early. Fetch it again, or from another member.",
    ),
    "snapshot-has-more": (
        "快照结尾之后还有内容。请重新下载,或向另一个成员索取。",
        "Something follows behind the end of the snapshot. Fetch it again, or from another member.",
    ),
    "snapshot-frame-too-large": (
        "快照中有一段为 {bytes} 字节,超过上限 {limit}。请向另一个成员索取,并告知给出它的成员。",
        "A part of the snapshot has {bytes} bytes, more than {limit}. Get another member's, and tell the one it came from.",
    ),
    "snapshot-malformed": (
        "快照有一段无法读取({reason})。请重新下载,或向另一个成员索取。",
        "A part of the snapshot cannot be read ({reason}). Fetch it again, or from another member.",
    ),
    "snapshot-other-chain": (
        "快照属于另一条链:其创世哈希为 {found},本节点的为 {expected}。请检查来源与创世文件。",
        "The snapshot is another chain's: its genesis hash is {found}, this node's is {expected}. Check the source, and the genesis file.",
    ),
    "snapshot-bad-handover": (
        "快照中通往第 {epoch} 届验证者的交接不成立({reason})。请向另一个成员索取,并告知给出它的成员。",
        "The hand-over to validator set {epoch} in the snapshot does not hold ({reason}). Get another member's, and tell the one it came from.",
    ),
    "snapshot-bad-certificate": (
        "快照中高度 {height} 的证书不成立({reason})。请向另一个成员索取,并告知给出它的成员。",
        "The certificate of height {height} in the snapshot does not hold ({reason}). Get another member's, and tell the one it came from.",
    ),
    "snapshot-bad-history": (
        "快照中的区块哈希与高度 {height} 所认证的历史不符。请向另一个成员索取,并告知给出它的成员。",
        "The block hashes in the snapshot are not those of the history certified at height {height}. Get another member's, and tell the one it came from.",
    ),
    "snapshot-bad-state": (
        "快照中的状态与高度 {height} 所认证的不符。请向另一个成员索取,并告知给出它的成员。",
        "The state in the snapshot is not the one certified at height {height}. Get another member's, and tell the one it came from.",
    ),
}
