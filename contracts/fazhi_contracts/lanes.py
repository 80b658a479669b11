"""Contract ``lane``: giving up seqs that will never come.

``void [first, last, reason]`` stands in the lane whose seqs it gives up, with ``first`` as its own seq: it is
executable exactly when the lane waits for ``first``, whatever became of the items that were meant for ``first …
last``, and afterwards the lane waits for ``last + 1``. So it takes the place of the first lost item and needs no rule
of its own in the mempool; an item for one of those seqs that turns up later meets a used seq, a conflict like any
other. Being the lane's next item it is signed by the lane's key by definition. A lane may begin with it.

The gap is bounded by the parameter ``max_lane_void``, stands in the result as the finding ``lane-voided``, and is
counted in the lane's entry, so that a hole in a camera's lane is explained or visible. ``reason`` is a token
(``lost``, ``device_reset``), never free text: no personal data can slip in with it.
"""

from __future__ import annotations

from typing import Final

from fazhi_ledger.errors import EncodingError
from fazhi_ledger.limits import MAX_CODE_CHARS, MAX_INT
from fazhi_ledger.names import TOKEN
from fazhi_ledger.parameters import Parameters
from fazhi_ledger.shape import as_int, as_text, as_tuple
from fazhi_ledger.submission import SubmissionBody

from .context import Call, Effect
from .errors import Refused

VOID: Final = ("lane", "void")
LANE_VOIDED: Final = "lane-voided"


def void(call: Call) -> Effect:
    """Give up the seqs ``first … last`` of the submission's own lane.

    Raises:
        Refused: see :func:`voided_range`.
    """
    first, last, reason = voided_range(call.body, call.parameters)
    return Effect(
        (("finding", LANE_VOIDED), ("first", first), ("last", last), ("reason", reason)),
        next_seq=last + 1,
        voided=last - first + 1,
    )


def voided_range(body: SubmissionBody, parameters: Parameters) -> tuple[int, int, str]:
    """First and last seq that a ``lane.void`` gives up, and why. It follows from the body and the parameters alone.

    Raises:
        Refused: ``bad-args``, ``void-not-at-seq`` (``first`` is not the submission's own seq), ``void-backwards`` or
            ``void-too-wide``.
    """
    try:
        first_value, last_value, reason_value = as_tuple(body.args, "lane.void", length=3)
        first = as_int(first_value, "first", high=MAX_INT - 1)
        last = as_int(last_value, "last", high=MAX_INT - 1)
        reason = as_text(reason_value, "reason", MAX_CODE_CHARS, TOKEN)
    except EncodingError as error:
        raise Refused("bad-args", **dict(error.parameters)) from None
    if first != body.seq:
        raise Refused("void-not-at-seq", first=first, seq=body.seq)
    if last < first:
        raise Refused("void-backwards", first=first, last=last)
    width, limit = last - first + 1, parameters.get("max_lane_void")
    if width > limit:
        raise Refused("void-too-wide", width=width, limit=limit)
    return first, last, reason


def seq_after(body: SubmissionBody, parameters: Parameters) -> int:
    """The next seq of the lane once this submission is executed, accepted or refused: its own plus one, or what lies
    behind the range that it voids.
    """
    if (body.contract, body.action) != VOID:
        return body.seq + 1
    try:
        return voided_range(body, parameters)[1] + 1
    except Refused:
        return body.seq + 1
