"""The style of the house as a test: what linters and types cannot see, read from the syntax tree.

Every ban has a sample that breaks it; a checker that finds nothing in its sample is itself broken.
"""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT

FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 500

FOLDERS = ("ledger", "consensus", "contracts", "client_sdk", "node", "cli")
LOWER_FLOORS = ("ledger", "consensus", "contracts")
SETTINGS: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
PURE = next(rule for rule in SETTINGS["importlinter"]["contracts"] if rule["name"].startswith("the lower floors"))
IMPURE_MODULES = frozenset(PURE["forbidden_modules"])
MAY_IMPORT = {
    "secrets": ("ledger/fazhi_ledger/keys", "ledger/fazhi_ledger/suites"),  # key generation
    "threading": ("ledger/fazhi_ledger/canonical",),  # a packer for each thread, which says the same in every one
}

# A builtin and why the lower floors must not call it.
IMPURE_BUILTINS = {
    "float": "results differ between machines",
    "hash": "differs from process to process",
    "id": "differs from process to process",
    "open": "the floors above read files",
    "input": "the floors above talk",
    "print": "the floors above talk",
    "__import__": "hides an import",
    "eval": "runs data",
    "exec": "runs data",
}
SET_BUILDERS = {"set", "frozenset"}
ORDER_KEEPERS = {"list", "tuple", "enumerate", "iter", "map", "filter", "zip", "reversed"}  # pass the order of a set on

Finding = tuple[int, str]


def package_sources(folders: Iterable[str] = FOLDERS) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).glob("fazhi_*/**/*.py"))]


def called_name(node: ast.AST) -> str | None:
    return node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else None


def attribute_call(node: ast.AST, owner: str, name: str) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id=value), attr=attribute)):
            return value == owner and attribute == name
    return False


def imported_roots(node: ast.AST) -> list[str]:
    match node:
        case ast.Import(names=names):
            return [alias.name.split(".")[0] for alias in names]
        case ast.ImportFrom(module=str(module), level=0):
            return [module.split(".")[0]]
    return []


def is_set(node: ast.expr) -> bool:
    match node:
        case ast.BinOp(op=ast.BitOr() | ast.BitAnd() | ast.Sub() | ast.BitXor(), left=left, right=right):
            return is_set(left) or is_set(right)
    return isinstance(node, (ast.Set, ast.SetComp)) or called_name(node) in SET_BUILDERS


def walks_a_set(node: ast.AST) -> bool:
    """Whether the order of a set, which no two machines share, leaks out of this node."""
    match node:
        case ast.For(iter=source) | ast.comprehension(iter=source) | ast.Starred(value=source):
            return is_set(source)
        case ast.Call(func=ast.Name(id=name), args=arguments) if name in ORDER_KEEPERS:
            return any(is_set(argument) for argument in arguments)
        case ast.Call(func=ast.Attribute(attr="join" | "extend"), args=arguments):
            return any(is_set(argument) for argument in arguments)
        case ast.Call(func=ast.Attribute(value=owner, attr="pop"), args=[]):
            return is_set(owner)
    return False


def impurities(tree: ast.AST, path: str) -> Iterator[Finding]:
    """What consensus and execution must not depend on: two machines would disagree."""
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0) or getattr(getattr(node, "iter", None), "lineno", 0)
        for root in imported_roots(node):
            if root in IMPURE_MODULES and not path.startswith(MAY_IMPORT.get(root, ())):
                yield line, f"imports {root}"
        match node:
            case ast.Constant(value=float() | complex()):
                yield line, "float literal"
            case ast.BinOp(op=ast.Div()) | ast.AugAssign(op=ast.Div()):
                yield line, "true division makes a float; use //"
        name = called_name(node)
        if name in IMPURE_BUILTINS:
            yield line, f"{name}(): {IMPURE_BUILTINS[name]}"
        if walks_a_set(node):
            yield line, "walks a set, whose order differs; sort it"


def swallows(handler: ast.ExceptHandler) -> bool:
    """Whether the handler takes any exception and does nothing about it."""
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    broad = any(isinstance(kind, ast.Name) and kind.id in {"Exception", "BaseException"} for kind in kinds)
    idle = all(
        isinstance(step, (ast.Pass, ast.Continue))
        or (isinstance(step, ast.Expr) and isinstance(step.value, ast.Constant))
        for step in handler.body
    )
    return broad and idle


def bad_habits(tree: ast.AST, path: str) -> Iterator[Finding]:
    """What no part of the house does."""
    for node in ast.walk(tree):
        match node:
            case ast.Assert():
                yield node.lineno, "assert vanishes under python -O; use invariant()"
            case ast.ExceptHandler(type=None):
                yield node.lineno, "bare except"
            case ast.ExceptHandler() if swallows(node):
                yield node.lineno, "swallows every exception"
            case ast.ImportFrom(module="time", names=names) if any(alias.name == "sleep" for alias in names):
                yield node.lineno, "imports time.sleep; wait for an event"
            case ast.Call() if attribute_call(node, "time", "sleep"):
                yield node.lineno, "time.sleep; wait for an event"


def long_functions(tree: ast.AST, path: str) -> Iterator[Finding]:
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES_MAX:
                yield node.lineno, f"{node.name} has {lines} lines, more than {FUNCTION_LINES_MAX}"


def report(paths: Iterable[Path], *checks: Any) -> list[str]:
    findings = []
    for path in paths:
        name = path.relative_to(ROOT).as_posix()
        tree = ast.parse(path.read_text(encoding="utf-8"), name)
        findings += [f"{name}:{line}: {what}" for check in checks for line, what in check(tree, name)]
    return findings


def fail_with(findings: list[str]) -> None:
    assert not findings, "\n" + "\n".join(findings)


# The house


def test_every_distribution_has_sources() -> None:
    assert [folder for folder in FOLDERS if not package_sources([folder])] == []


def test_lower_floors_are_pure() -> None:
    fail_with(report(package_sources(LOWER_FLOORS), impurities))


def test_no_bad_habits() -> None:
    fail_with(report(package_sources(), bad_habits))


def test_functions_are_short() -> None:
    fail_with(report(package_sources(), long_functions))


def test_files_are_short() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in package_sources()}
    fail_with([f"{path.relative_to(ROOT)}: {n} lines" for path, n in lengths.items() if n > FILE_LINES_MAX])


def test_a_distribution_holds_only_its_package_and_pyproject() -> None:
    """An editable install exposes the whole folder to every import."""
    allowed = {"pyproject.toml", "dist", "__pycache__"}
    strays = [
        path.relative_to(ROOT).as_posix()
        for folder in FOLDERS
        for path in (ROOT / folder).iterdir()
        if path.name not in allowed and not path.name.startswith(("fazhi_", "."))
    ]
    assert strays == []


# Its samples


@pytest.mark.parametrize(
    "sample",
    [
        "x = 0.5",
        "x = 1e3",
        "x = 2j",
        "x = float(y)",
        "x = a / b",
        "x /= 2",
        "import time",
        "import os.path",
        "def f():\n    from datetime import datetime",
        "import random",
        "from os import urandom",
        "import secrets",
        "import socket, re",
        "import asyncio",
        "from pathlib import Path",
        "import locale",
        "open('x')",
        "print(1)",
        "hash('x')",
        "id(x)",
        "eval('1')",
        "for x in {1, 2}: pass",
        "for x in set(y): pass",
        "for x in frozenset(y) - z: pass",
        "[x for x in {y for y in z}]",
        "{x: 1 for x in set(y)}",
        "tuple(set(x))",
        "[*set(x)]",
        "b''.join({x, y})",
        "set(x).pop()",
    ],
)
def test_impurity_is_seen(sample: str) -> None:
    assert list(impurities(ast.parse(sample), "consensus/fazhi_consensus/sample.py"))


@pytest.mark.parametrize(
    "sample",
    [
        "for x in sorted(set(y)): pass",
        "x = a // b",
        "x = y in {1, 2}",
        "len(set(x))",
        "import re",
        "from . import time",
        "self.hash(x)",
        "x = 1",
        "for x in (1, 2): pass",
        "a | b",
    ],
)
def test_purity_is_left_alone(sample: str) -> None:
    assert list(impurities(ast.parse(sample), "consensus/fazhi_consensus/sample.py")) == []


def test_only_key_generation_may_use_secrets() -> None:
    tree = ast.parse("import secrets")
    assert list(impurities(tree, "ledger/fazhi_ledger/keys.py")) == []
    assert list(impurities(tree, "ledger/fazhi_ledger/merkle.py")) == [(1, "imports secrets")]


@pytest.mark.parametrize(
    "sample",
    [
        "assert x",
        "try: f()\nexcept: raise",
        "try: f()\nexcept Exception: pass",
        "try: f()\nexcept (ValueError, Exception): ...",
        "try: f()\nexcept BaseException as e: 'never mind'",
        "for x in y:\n    try: f()\n    except Exception: continue",
        "import time\ntime.sleep(1)",
        "from time import monotonic, sleep",
    ],
)
def test_bad_habit_is_seen(sample: str) -> None:
    assert list(bad_habits(ast.parse(sample), "sample.py"))


@pytest.mark.parametrize(
    "sample",
    ["try: f()\nexcept Exception: log()", "try: f()\nexcept KeyError: pass", "asyncio.sleep(0)", "import time"],
)
def test_good_habit_is_left_alone(sample: str) -> None:
    assert list(bad_habits(ast.parse(sample), "sample.py")) == []


def test_long_function_is_seen() -> None:
    def function(lines: int) -> ast.AST:
        return ast.parse("class C:\n  async def f():\n" + "    g()\n" * (lines - 1))

    assert list(long_functions(function(FUNCTION_LINES_MAX), "sample.py")) == []
    assert list(long_functions(function(FUNCTION_LINES_MAX + 1), "sample.py"))


# Tracked files: nothing of one machine, no address of an index

MACHINE_PATH = re.compile(r"(?<![\w.])/(?:work|farm|root)/")
ADDRESS = re.compile(r"https?://|--(?:extra-)?index-url|--find-links|^-[if] ", re.MULTILINE)


def is_lock(name: str) -> bool:
    return name.endswith((".lock", "package-lock.json")) or bool(re.search(r"(^|/)requirements[^/]*\.(txt|in)$", name))


def tracked_files() -> dict[str, str]:
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: what is tracked is unknown")
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    paths = [ROOT / name for name in names.split("\0") if name]
    return {
        p.relative_to(ROOT).as_posix(): p.read_text(encoding="utf-8", errors="replace") for p in paths if p.is_file()
    }


def test_no_tracked_file_names_a_path_of_one_machine() -> None:
    fail_with([name for name, text in tracked_files().items() if MACHINE_PATH.search(text)])


def test_no_lock_names_an_address() -> None:
    locks = {name: text for name, text in tracked_files().items() if is_lock(name)}
    assert "requirements.lock" in locks
    fail_with([name for name, text in locks.items() if ADDRESS.search(text)])


def test_paths_and_addresses_are_seen() -> None:
    for folder in ("work", "farm", "root"):
        assert MACHINE_PATH.search(f'open("/{folder}/x")')
        assert MACHINE_PATH.search(f"/{folder}/x")
        assert not MACHINE_PATH.search(f"docs/{folder}/plan and ../{folder}/x and host.example/{folder}/")
    assert ADDRESS.search("aiohttp==3 --index-url x")
    assert ADDRESS.search("-i x\n")
    assert ADDRESS.search("# from https://host/simple")
    assert not ADDRESS.search("aiohttp==3 --hash=sha256:00")
    assert is_lock("requirements.lock")
    assert is_lock("web/package-lock.json")
    assert not is_lock("docs/requirements.md")


# Each distribution asks for what it imports, and the lock for what the distributions ask for


def project(folder: str) -> dict[str, Any]:
    table: dict[str, Any] = tomllib.loads((ROOT / folder / "pyproject.toml").read_text())["project"]
    return table


def distribution_name(requirement: str) -> str:
    return re.sub(r"[-_.]+", "-", re.split(r"[>=<;\[\s]", requirement)[0]).lower()


def requirement_lines(text: str) -> set[str]:
    return {line for line in text.splitlines() if line and not line.startswith("#")}


def needs(folder: str) -> list[str]:
    """What a distribution asks for, its extras included."""
    extras = project(folder).get("optional-dependencies", {}).values()
    return [*project(folder).get("dependencies", []), *(need for extra in extras for need in extra)]


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_distribution_asks_for_what_it_imports(folder: str) -> None:
    """Each can be installed without the others' dependencies."""
    providers = {root: {distribution_name(d) for d in names} for root, names in packages_distributions().items()}
    for name in FOLDERS:
        for package in (ROOT / name).glob("fazhi_*"):
            providers[package.name] = {project(name)["name"]}
    asked = {distribution_name(need) for need in needs(folder)} | {project(folder)["name"]}
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in package_sources([folder])]
    roots = {root for tree in trees for node in ast.walk(tree) for root in imported_roots(node)}
    third = roots - sys.stdlib_module_names
    assert [root for root in sorted(third) if not providers.get(root, set()) & asked] == []


def test_requirements_name_what_the_distributions_need() -> None:
    ours = {project(folder)["name"] for folder in FOLDERS}
    needed = {need for folder in FOLDERS for need in needs(folder)} - ours
    runtime, _, _ = (ROOT / "requirements.in").read_text().partition("# building")
    assert needed == requirement_lines(runtime)


def test_every_requirement_is_locked_with_hashes() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    pins = re.split(r"^(?=[A-Za-z0-9])", lock, flags=re.MULTILINE)[1:]
    locked = {distribution_name(pin) for pin in pins}
    wanted = {distribution_name(line) for line in requirement_lines((ROOT / "requirements.in").read_text())}
    assert wanted - locked == set()
    assert [pin.splitlines()[0] for pin in pins if "--hash=sha256:" not in pin or "==" not in pin] == []
