"""Named errors of the ledger.

Every check raises; none returns a truth value, so that a caller cannot forget to look at it. An error carries a
stable ``code`` and ``parameters`` (names and values); sentences in Chinese or English are made from them at the edge,
never here.
"""

from __future__ import annotations

Parameter = tuple[str, str | int]


class FazhiError(Exception):
    """Base of all named errors: a stable code and its parameters.

    ``code`` is lower-case ASCII with hyphens; ``parameters`` keep the order in which they were given.
    """

    def __init__(self, code: str, **parameters: str | int) -> None:
        self.code = code
        self.parameters: tuple[Parameter, ...] = tuple(parameters.items())
        super().__init__(code, self.parameters)

    def __str__(self) -> str:
        details = ", ".join(f"{name}={value!r}" for name, value in self.parameters)
        return f"{self.code} ({details})" if details else self.code


class EncodingError(FazhiError):
    """Bytes that are not canonical, or a decoded value that has not the expected shape."""


class InvalidKey(FazhiError):
    """A public or secret key that must not be used, or a key file that cannot be opened."""


class InvalidSignature(FazhiError):
    """A signature that does not verify, or verifies only under some libraries' rules."""


class InvalidProof(FazhiError):
    """A Merkle, consistency, presence or absence proof that does not show what it should."""


class InvalidCertificate(FazhiError):
    """A commit certificate that does not show that a quorum decided this block."""


class InvalidBlock(FazhiError):
    """A block that must not be accepted: a header field or an item breaks a rule of validity."""


class InvalidSubmission(FazhiError):
    """A submission that must never stand in a block (as opposed to one that is refused: that is a result)."""


class InvalidGenesis(FazhiError):
    """A genesis, or the file that carries it, that does not hold together."""


class InvalidReceipt(FazhiError):
    """A receipt that is malformed or does not prove what it claims."""


class InvariantBroken(RuntimeError):
    """Our own fault: something that cannot be has happened. The node must stop and lose nothing."""


def invariant(condition: bool, what: str) -> None:
    """Raise :class:`InvariantBroken` unless ``condition`` holds (unlike ``assert`` it survives ``python -O``)."""
    if not condition:
        raise InvariantBroken(what)
