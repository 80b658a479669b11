"""What the signed arguments of a recording say: how many records travel beside it, under which root, in whose cases
(spec/submission.md)."""

from __future__ import annotations

from typing import Final

from .canonical import Value
from .datatypes import slotted
from .errors import EncodingError
from .limits import MAX_ORG_CHARS
from .names import ORG
from .record import member_of
from .shape import as_digest, as_int, as_text, as_tuple
from .submission import SubmissionBody

RECORDING: Final = ("cases", "record")
"""The one contract and action whose submissions carry records."""


def is_recording(body: SubmissionBody) -> bool:
    """Whether records travel beside the submission."""
    return body.contract == RECORDING[0] and body.action == RECORDING[1]


@slotted
class Recording:
    """``[record_count, records_root]`` for cases of the submitting organisation's member, ``[record_count,
    records_root, member]`` for those of another."""

    count: int
    root: bytes
    member: str

    @classmethod
    def of(cls, body: SubmissionBody) -> Recording:
        """What the arguments of a recording say.

        Raises:
            EncodingError: they have another shape, or name the submitting organisation's own member.
        """
        args, own = body.args, member_of(body.org)
        if type(args) is tuple and len(args) == 3:
            count, root, other = args
            member = as_text(other, "member", MAX_ORG_CHARS, ORG)
            if member == own or member != member_of(member):
                raise EncodingError("bad-shape", what="member", expected="another member")
        else:
            count, root = as_tuple(args, "recording", length=2)
            member = own
        return cls(as_int(count, "record count", low=1), as_digest(root, "records root"), member)


def recording_args(org: str, count: int, root: bytes, case_org: str) -> Value:
    """The arguments of a recording that ``org`` submits, in cases of ``case_org`` or of a unit or the member of it."""
    member = member_of(case_org)
    return (count, root) if member == member_of(org) else (count, root, member)
