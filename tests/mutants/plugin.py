"""A plugin of pytest that turns a mutant on for a whole process of tests (``-p tests.mutants.plugin``)."""

from __future__ import annotations

import os
from contextlib import ExitStack

import pytest

from .campaigns import ENVIRONMENT
from .catalogue import CATALOGUE

_ON = ExitStack()


def pytest_collection_finish(session: pytest.Session) -> None:
    """All is imported: from here on the rule is broken."""
    name = os.environ.get(ENVIRONMENT)
    if name:
        _ON.enter_context(CATALOGUE[name].broken())


def pytest_unconfigure(config: pytest.Config) -> None:
    """The process ends."""
    _ON.close()
