"""Sentences of the gateway's errors, in Chinese and English: what happened, whether anything was recorded, and what
to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

TEXTS: Final[Mapping[str, tuple[str, str]]] = {
    "bad-parameter": (
        "请求参数 {name} 不可用:{reason}。请更正后重试;没有记录任何内容。",
        "The parameter {name} cannot be used: {reason}. Correct it and try again; nothing was recorded.",
    ),
    "bad-request-body": (
        "请求体不是规范编码的提交列表({reason})。没有记录任何内容;请用 SDK 生成请求。",
        "The body is no canonical list of submissions ({reason}). Nothing was recorded; let the SDK make the request.",
    ),
    "body-too-large": (
        "请求体超过 {limit} 字节。请分成较小的请求;没有记录任何内容。",
        "The body has more than {limit} bytes. Split it into smaller requests; nothing was recorded.",
    ),
    "body-too-slow": (
        "请求体未在 {seconds} 秒内到达。没有记录任何内容;请重试。",
        "The body did not arrive within {seconds} s. Nothing was recorded; try again.",
    ),
    "bad-http": (
        "这不是可读的 HTTP 请求。没有记录任何内容;请用 HTTP/1.1 重新发送。",
        "This is no HTTP request that can be read. Nothing was recorded; send it again as HTTP/1.1.",
    ),
    "head-too-large": (
        "请求行与首部超过 {limit} 字节。没有记录任何内容;请缩短后重试。",
        "The request line and headers have more than {limit} bytes. Nothing was recorded; shorten them and try again.",
    ),
    "unsupported-media-type": (
        "请求体的类型须为 {expected}。",
        "The body's type must be {expected}.",
    ),
    "too-many-items": (
        "一次请求最多 {limit} 个提交。请分开;没有记录任何内容。",
        "A request holds at most {limit} submissions. Split it; nothing was recorded.",
    ),
    "too-many-requests": (
        "同时处理的请求过多。没有记录任何内容;请在 {seconds} 秒后原样重试。",
        "Too many requests are under way. Nothing was recorded; send the same again after {seconds} s.",
    ),
    "too-many-streams": (
        "事件流已达上限 {limit}。请稍后再连接,或改用 /v1/blocks 轮询。",
        "All {limit} event streams are taken. Connect later, or poll /v1/blocks.",
    ),
    "too-many-snapshots": (
        "本节点正在向别处传送快照,一次只传一份。请在 {seconds} 秒后重试,或向其他成员索取。",
        "This node sends a snapshot already, and one at a time. Try again after {seconds} s, or ask another member's.",
    ),
    "node-busy": (
        "节点的队列已满。没有记录这些内容;请在 {seconds} 秒后原样重试,不会重复入链。",
        (
            "The node's queues are full. These were not taken; send the same bytes again after {seconds} s, "
            "nothing is entered twice."
        ),
    ),
    "unauthorized": (
        "读取需要令牌:请在 Authorization: Bearer 中给出本节点运营者发放的令牌。",
        "Reading needs a token: give the one from this node's operator in Authorization: Bearer.",
    ),
    "not-found": ("没有 {what}。", "There is no {what}."),
    "no-such-route": (
        "没有这个地址。所有地址见 /openapi.json。",
        "There is no such address. All of them stand in /openapi.json.",
    ),
    "method-not-allowed": (
        "这个地址不接受 {method}。所有地址见 /openapi.json。",
        "This address does not take {method}. All of them stand in /openapi.json.",
    ),
    "pruned": (
        "本节点已不再保存 {what}。请向其他成员的节点查询。",
        "This node does not keep {what} any more. Ask another member's node.",
    ),
    "not-committed": (
        "该提交尚未入链,还没有证明。请等待其状态为 committed。",
        "This submission is not committed yet, so that there is no proof. Wait until its status is committed.",
    ),
    "not-accepted": (
        "该提交被合约拒绝({code}),没有记录收据可给。",
        "This submission was refused by the contract ({code}); there is no receipt of a record.",
    ),
    "stopping": (
        "节点正在停止或已因故障停止。请改用其他成员的节点。",
        "The node is stopping, or stopped because of a fault. Use another member's node.",
    ),
    "own-fault-request": (
        "处理请求时节点自身出错,已写入日志(编号 {incident})。请报告;重试原样字节不会重复入链。",
        (
            "The node failed on this request; its log has it as incident {incident}. "
            "Report it; sending the same bytes again enters nothing twice."
        ),
    ),
}
