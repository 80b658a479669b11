"""What a command says when it fails: one line, in the user's language.

An SDK error says what happened, whether anything is recorded, and what to do; where the SDK tells a programmer what to
call, the command line names its own command instead.
"""

from __future__ import annotations

import os
import sys

from fazhi_ledger import messages as ledger_messages
from fazhi_ledger.errors import FazhiError

from .language import Language, Pair, choose
from .messages import MESSAGES, TODO


def complaint(error: FazhiError, language: Language) -> str:
    """One line for stderr: what went wrong and what to do, in the user's language."""
    return "fazhi: " + explained(error, language)


def explained(error: FazhiError, language: Language) -> str:
    """The sentence of an error: what happened, whether anything is recorded, what to do."""
    happened, todo = _sdk_sentences()
    outcome = getattr(error, "outcome", None)
    if outcome is None:
        tables = (MESSAGES, _rules_sentences(), happened, ledger_messages.MESSAGES)
        return ledger_messages.sentence(tables, error.code, error.parameters, language)
    said: Pair | None = getattr(error, "what", None)  # a contract's own words for a refusal
    parts = [
        ledger_messages.sentence((happened, ledger_messages.MESSAGES), error.code, error.parameters, language)
        if said is None
        else ledger_messages.printable(choose(said, language))
    ]
    parts.append(choose(_outcomes()[outcome], language))
    worded_as = getattr(error, "worded_as", None) or error.code
    if worded_as in todo:
        before = sys.modules["fazhi_sdk.messages"].todos_of(outcome)
        parts.append(ledger_messages.sentence((before, TODO, todo), worded_as, error.parameters, language))
    return choose((";", "; "), language).join(parts)


def own_fault(error: Exception, language: Language) -> str:
    """What to say of a fault of this program: nothing was decided; where it happened, for those who mend it."""
    import traceback

    at = traceback.extract_tb(error.__traceback__)[-1]
    parameters = (
        ("what", f"{type(error).__name__}: {error}"[:300]),
        ("where", f"{os.path.basename(at.filename)}:{at.lineno}"),
    )
    return f"fazhi: {ledger_messages.sentence((MESSAGES,), 'own-fault', parameters, language)}"


def _rules_sentences() -> dict[str, Pair]:
    """Those of ``fazhi rules``; nothing where another command runs."""
    loaded = sys.modules.get("fazhi_cli.rules_texts")
    return {} if loaded is None else dict(loaded.RULES_MESSAGES)


def _sdk_sentences() -> tuple[dict[str, Pair], dict[str, Pair]]:
    """What happened and what to do, of the SDK's errors; nothing where no command has loaded the SDK."""
    loaded = sys.modules.get("fazhi_sdk.messages")
    if loaded is None:
        return {}, {}
    happened = {code: pair for code, (pair, _) in loaded.SENTENCES.items()}
    return happened, {code: pair for code, (_, pair) in loaded.SENTENCES.items()}


def _outcomes() -> dict[object, Pair]:
    return dict(sys.modules["fazhi_sdk.messages"].OUTCOMES)
