"""Errors of the SDK. Each says what happened, whether anything was recorded, and what to do, in Chinese and in English.

Three families: what the caller handed over (:class:`InputError`, :class:`SealingError`, :class:`DraftError`), the way
to the chain (:class:`ConnectionFailed`), and what the chain or a gateway answered (:class:`SubmissionRefused` and the
like). All are :class:`SdkError`, so that one ``except`` suffices, and all carry ``code``, ``parameters`` and
``outcome``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from fazhi_ledger.errors import FazhiError

from .messages import Outcome, Pair, sentence

if TYPE_CHECKING:
    from .outbox_rows import Entry

__all__ = [
    "AlreadySigned",
    "BadAnswer",
    "Conflict",
    "ConnectionFailed",
    "DevnetError",
    "DraftError",
    "Expired",
    "FileChanged",
    "FileIsDevice",
    "FileIsDirectory",
    "FileIsPipe",
    "FileIsSocket",
    "FileMissing",
    "FileReplaced",
    "FileUnreadable",
    "FileVanished",
    "InputError",
    "LooksPersonal",
    "NotAuthorised",
    "NotConnected",
    "NotDecided",
    "OutboxDisk",
    "OutboxError",
    "OutboxInUse",
    "Outcome",
    "ProofFailed",
    "ReceiptFailed",
    "SdkError",
    "SealingError",
    "SignatureMissing",
    "SubmissionInvalid",
    "SubmissionRefused",
    "TooBusy",
    "UnknownCase",
    "WrongGenesis",
]


class SdkError(FazhiError):
    """Base of the SDK's errors.

    ``outcome`` says what is on the chain because of the call that failed; ``what`` may replace the table's words for
    what happened.
    """

    outcome: Outcome = Outcome.NOTHING
    what: Pair | None = None
    worded_as: str | None = None
    """The row of the table of sentences, where it is not the code itself."""

    def in_language(self, language: str) -> str:
        """The sentence in ``"zh"`` or ``"en"``."""
        pair = sentence(self.worded_as or self.code, self.parameters, self.outcome, self.what)
        return pair[0] if language.startswith("zh") else pair[1]

    def __str__(self) -> str:
        zh, en = sentence(self.worded_as or self.code, self.parameters, self.outcome, self.what)
        return f"{self.code}: {zh} / {en}"


class InputError(SdkError):
    """What was handed over cannot be used; nothing left this process."""


class LooksPersonal(InputError):
    """A clear field or docket number looks like personal data (个人信息); clear values stand on the chain for ever."""


class SealingError(SdkError):
    """A file cannot be sealed; one class for each reason."""

    CODE: ClassVar[str] = "file-unreadable"

    def __init__(self, path: str, **parameters: str | int) -> None:
        super().__init__(self.CODE, path=path, **parameters)
        self.path = path


class FileMissing(SealingError):
    """There is no such file."""

    CODE = "file-missing"


class FileIsDirectory(SealingError):
    """A folder was named."""

    CODE = "file-is-directory"


class FileIsPipe(SealingError):
    """A pipe or FIFO was named: it can be read once only."""

    CODE = "file-is-pipe"


class FileIsSocket(SealingError):
    """A socket was named."""

    CODE = "file-is-socket"


class FileIsDevice(SealingError):
    """A block or character device was named."""

    CODE = "file-is-device"


class FileUnreadable(SealingError):
    """No permission, or the medium failed."""

    CODE = "file-unreadable"


class FileVanished(SealingError):
    """The file was removed while it was being sealed."""

    CODE = "file-vanished"


class FileReplaced(SealingError):
    """Another file took the path while it was being sealed."""

    CODE = "file-replaced"


class FileChanged(SealingError):
    """The file's content, size or time of change moved while it was being sealed."""

    CODE = "file-changed"


class DraftError(SdkError):
    """A draft that cannot be read, signed or submitted as it is."""


class AlreadySigned(DraftError):
    """The key has signed this draft already: two signatures of one key are not two officers."""


class SignatureMissing(DraftError):
    """A named signer has not signed yet."""


class OutboxError(SdkError):
    """The outbox cannot be used."""


class OutboxInUse(OutboxError):
    """Another process holds the outbox."""


class OutboxDisk(OutboxError):
    """The disk refused: nothing was promised and nothing left."""


class ConnectionFailed(SdkError):
    """No gateway did what was asked, now; what was submitted is safe in the outbox."""

    outcome = Outcome.KEPT
    pending: Entry | None = None


class NotConnected(ConnectionFailed):
    """No gateway can be reached."""


class NotDecided(ConnectionFailed):
    """It was handed over, but no decision came in time."""

    outcome = Outcome.UNKNOWN


class TooBusy(ConnectionFailed):
    """The gateways are full and say when to come again (``retry_after_s``)."""

    def __init__(self, code: str, *, seconds: int) -> None:
        super().__init__(code, seconds=seconds)
        self.retry_after_s = seconds


class WrongGenesis(SdkError):
    """The gateway serves another chain than the one named."""


class NotAuthorised(SdkError):
    """The gateway wants a token for this read."""

    outcome = Outcome.READ


class BadAnswer(SdkError):
    """A gateway's answer does not have the agreed form."""

    outcome = Outcome.READ


class ProofFailed(SdkError):
    """A gateway's answer does not follow from what a quorum signed."""

    outcome = Outcome.READ


class ReceiptFailed(SdkError):
    """The receipt that a gateway served does not verify; it is not handed over."""

    outcome = Outcome.RECORDED


class UnknownCase(SdkError):
    """There is no such case; its absence was proven."""

    outcome = Outcome.READ


class SubmissionError(SdkError):
    """What the chain said about one submission; ``pending`` is the outbox's handle of it."""

    pending: Entry | None = None


class SubmissionRefused(SubmissionError):
    """The contract refused it: the refusal is on the chain under ``height``, no step is."""

    outcome = Outcome.REFUSAL
    worded_as = "refused"


class SubmissionInvalid(SubmissionError):
    """The gateway says that it can never stand in a block; ``reason`` is the ledger's code."""


class Conflict(SubmissionError):
    """Another body has used this lane's seq: typically an outbox restored from an old copy."""


class Expired(SubmissionError):
    """``valid_until`` has passed in certified time."""


class DevnetError(SdkError):
    """A local network of nodes could not be managed."""
