"""Which signature equations are asked of the verifier, beside a plain account of what is known."""

from __future__ import annotations

from collections.abc import Sequence

from fazhi_ledger.suites import ED25519_SHA256 as SUITE
from fazhi_node.ports import Job, SignatureCheck
from fazhi_node.verification import Verdicts, Verification
from hypothesis import given
from hypothesis import strategies as st


class Asked:
    """A verifier that keeps its last question."""

    def __init__(self) -> None:
        self.token = 0
        self.jobs: list[Job] = []

    def verify(self, token: int, jobs: Sequence[Job]) -> None:
        self.token, self.jobs = token, list(jobs)


def check(key: int, message: int, signature: int, *, hashed: bool) -> SignatureCheck:
    said = b"message %d" % message
    return SignatureCheck(SUITE, bytes([key]) * 32, said, bytes([signature]) * 64, SUITE.hash(said) if hashed else b"")


NUMBERS = st.integers(0, 2)
CHECKS = st.builds(check, NUMBERS, NUMBERS, NUMBERS, hashed=st.booleans())
QUESTIONS = st.lists(st.lists(st.lists(CHECKS, max_size=3).map(tuple), max_size=4), max_size=12)


def test_bytes_that_slide_between_key_and_signature_make_another_equation() -> None:
    verifier, answers = Asked(), list[Verdicts]()
    verification = Verification(verifier, 8)
    held = check(1, 2, 3, hashed=True)
    slid = SignatureCheck(SUITE, held.public_key[:-1], held.message, held.public_key[-1:] + held.signature)
    verification.ask([(held,)], answers.append)
    verification.on_verified(verifier.token, [True])
    verification.ask([(slid,)], answers.append)
    assert verifier.jobs == [(slid,)]
    assert answers == [[True]]


def equation(one: SignatureCheck) -> tuple[bytes, bytes, bytes]:
    return one.public_key, one.message, one.signature


@given(QUESTIONS, st.integers(1, 12))
def test_only_what_is_not_known_to_hold_is_asked(questions: list[list[Job]], most: int) -> None:
    verifier = Asked()
    verification = Verification(verifier, most)
    known: list[tuple[bytes, bytes, bytes]] = []  # oldest first
    for number, jobs in enumerate(questions):
        answers: list[Verdicts] = []
        open_jobs = [tuple(one for one in job if equation(one) not in known) for job in jobs]
        verification.ask(jobs, answers.append)
        if not any(open_jobs):
            assert answers == [[True] * len(jobs)]
            continue
        assert verifier.jobs == [job for job in open_jobs if job]
        verdicts = [(number + place) % 3 > 0 for place in range(len(verifier.jobs))]
        verification.on_verified(verifier.token, verdicts)
        given_verdicts = iter(verdicts)
        assert answers == [[next(given_verdicts) if job else True for job in open_jobs]]
        for job, verdict in zip(verifier.jobs, verdicts, strict=True):
            known += [equation(one) for one in job if verdict and equation(one) not in known]
        del known[: max(0, len(known) - most)]
