"""How much of the pool's heart the tests would notice if it were wrong: changes it a little, again and again.

    python scripts/mutants.py                      # all of the heart: prints what survived, and the score
    python scripts/mutants.py shelf waiting        # these modules
    python scripts/mutants.py --every 10           # one mutant in ten, for a first look

Each mutant runs in a process of its own, forked from one that has everything but the pool imported; the
module is compiled from the changed tree, no file is touched. A mutant that makes tests fail, or run for ever,
is killed. Words are left alone, for messages are for people, and so are log lines, annotations and asserts.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
POOL: Final = ROOT / "src" / "twikit_pool" / "pool"
MODULES: Final = (
    "control",
    "deadlines",
    "lease",
    "lifecycle",
    "matching",
    "reservations",
    "sharing",
    "shelf",
    "turnover",
    "upkeep",
    "waiting",
)
TESTS: Final = (
    "tests/unit/pool",
    "tests/simulation/test_other_pools_bugs.py",
    "tests/simulation/test_corners.py",
)
SHARED: Final = (
    "pytest",
    "hypothesis",
    "twikit",
    "httpx",
    "msgspec",
    "sqlalchemy",
    "cryptography",
)
"""What is imported once, before the forks. Nothing of it may import twikit_pool."""
WANTED: Final = 0.9

EQUIVALENT: Final[dict[tuple[str, str], str]] = {
    ("deadlines", "500  ->  501  in  AT_A_TIME: Final = 500"): "a matter of taste",
    ("lease", "matching.loop  ->  None  in  connection.borrower = current_task(matching.loop)"): (
        "then it is the running loop, which is the same one"
    ),
    (
        "matching",
        "1  ->  2  in  NOBODY: Final = PRIORITIES + 1",
    ): "the gate that nobody passes may be further off",
    ("matching", "0  ->  1  in  self._arrivals = 0"): "arrivals are compared with each other alone",
    (
        "matching",
        "thaw.cancel()  ->  pass  in  thaw.cancel()",
    ): "an earlier look finds the window closed, and waits on",
    ("shelf", "64  ->  65  in  STALE: Final = 64"): "a matter of taste",
    ("waiting", "64  ->  65  in  TOMBSTONES: Final = 64"): "a matter of taste",
    ("waiting", "msg  ->  None  in  if not super().cancel(msg):"): "a task brings its own message",
    (
        "waiting",
        "1  ->  2  in  def everyone(self, below: int = PRIORITIES + 1) -> list[Waiter]:",
    ): "a slice may end beyond the end",
}
"""Mutants that change nothing anyone could observe, by module and change, and why that is so."""

# ---------------------------------------------------------------- changing

FLIPPED: Final[dict[type[ast.AST], Callable[[], Any]]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change: which module, where, and what it reads before and after."""

    module: str
    number: int
    line: int
    change: str


class _Mutator(ast.NodeTransformer):
    """Makes the change of this number, or with -1 none, and counts and describes all there could be."""

    def __init__(self, wanted: int = -1) -> None:
        self.wanted = wanted
        self.found: list[tuple[int, str]] = []

    def _change(self, node: ast.AST, make: Callable[[], ast.AST], whole: ast.AST | None = None) -> Any:
        """The changed node if this is the change that is wanted."""
        number = len(self.found)
        line = getattr(node, "lineno", getattr(whole, "lineno", 0))
        if self.wanted in (-1, number):
            changed = ast.fix_missing_locations(ast.copy_location(make(), node))
            self.found.append((line, f"{_source(node)}  ->  {_source(changed)}"))
            return changed if number == self.wanted else node
        self.found.append((line, ""))
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        if node.value is not None:
            node.value = self.visit(node.value)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        node.args.defaults = [self.visit(each) for each in node.args.defaults]
        node.args.kw_defaults = [each and self.visit(each) for each in node.args.kw_defaults]
        node.body = [self.visit(each) for each in node.body]
        return node

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815 - ast names its visitors so

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        return node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        return node

    def visit_If(self, node: ast.If) -> ast.AST:
        if _source(node.test) == "TYPE_CHECKING":
            return node
        return self._negated(node)

    def visit_While(self, node: ast.While) -> ast.AST:
        return self._negated(node)

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        return self._negated(node)

    def _negated(self, node: ast.If | ast.While | ast.IfExp) -> ast.AST:
        self.generic_visit(node)
        if not isinstance(node.test, ast.Compare | ast.Constant):  # those are flipped by themselves
            test = node.test
            node.test = self._change(test, lambda: ast.UnaryOp(ast.Not(), test))
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        self.generic_visit(node)
        if len(node.ops) == 1 and type(node.ops[0]) in FLIPPED:
            flipped = FLIPPED[type(node.ops[0])]()
            return self._change(node, lambda: ast.Compare(node.left, [flipped], node.comparators))
        return node

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        self.generic_visit(node)
        return self._change(node, lambda: ast.BoolOp(FLIPPED[type(node.op)](), node.values))

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        if type(node.op) in FLIPPED:
            flipped = FLIPPED[type(node.op)]()
            return self._change(node, lambda: ast.BinOp(node.left, flipped, node.right))
        return node

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        self.generic_visit(node)
        return self._change(node, lambda: node.operand)

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        self.generic_visit(node)
        flipped = FLIPPED[type(node.op)]()
        return self._change(node, lambda: ast.AugAssign(node.target, flipped, node.value))

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        value = node.value
        if isinstance(value, bool):
            return self._change(node, lambda: ast.Constant(not value))
        if isinstance(value, int | float):
            return self._change(node, lambda: ast.Constant(value + 1))
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        call = node.value
        if isinstance(call, ast.Constant) or _source(call).startswith(("logger.", "super().__init__")):
            return node
        self.generic_visit(node)
        return self._change(node, ast.Pass)

    def visit_Delete(self, node: ast.Delete) -> ast.AST:
        return self._change(node, ast.Pass)

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        if _source(node.targets[0]) in ("__slots__", "logger") or node.col_offset == 0:
            return node
        self.generic_visit(node)
        if isinstance(node.targets[0], ast.Attribute | ast.Subscript) and len(node.targets) == 1:
            none = ast.Constant(None)
            if _source(node.value) != "None":
                return self._change(node, lambda: ast.Assign(node.targets, none))
            return self._change(node, ast.Pass)
        return node

    def visit_Return(self, node: ast.Return) -> ast.AST:
        self.generic_visit(node)
        value = node.value
        if value is None or isinstance(value, ast.Constant | ast.JoinedStr):
            return node
        return self._change(node, lambda: ast.Return(ast.Constant(None)))

    def visit_Break(self, node: ast.Break) -> ast.AST:
        return self._change(node, ast.Continue)

    def visit_Continue(self, node: ast.Continue) -> ast.AST:
        return self._change(node, ast.Break)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if _source(node.func).endswith(
            ("Error", "Closed", "NotFound", "Conflict", "Available", "isinstance")
        ):
            return node
        for position, argument in enumerate(node.args):
            if not isinstance(argument, ast.Constant | ast.JoinedStr | ast.Starred | ast.GeneratorExp):
                changed = self._change(argument, lambda: ast.Constant(None), node)
                node.args[position] = changed
        return node


def _source(node: ast.AST) -> str:
    """The code of a node on one line, without the body of a block."""
    return ast.unparse(node).split("\n")[0][:100]


@cache
def _text_of(module: str) -> str:
    """Read once, so that somebody may go on editing it while its mutants run."""
    return (POOL / f"{module}.py").read_text()


def mutants_of(module: str) -> list[Mutant]:
    """Every change of one module."""
    mutator = _Mutator()
    mutator.visit(ast.parse(_text_of(module)))
    lines = _text_of(module).splitlines()
    return [
        Mutant(module, number, line, f"{change}  in  {lines[line - 1].strip()}")
        for number, (line, change) in enumerate(mutator.found)
    ]


class ChangedModule(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module of the pool from its changed tree."""

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant
        self._path = POOL / f"{mutant.module}.py"

    def find_spec(self, fullname: str, *_: object) -> importlib.machinery.ModuleSpec | None:
        """See `MetaPathFinder`."""
        if fullname != f"twikit_pool.pool.{self._mutant.module}":
            return None
        return importlib.util.spec_from_file_location(fullname, self._path, loader=self)

    def exec_module(self, module: ModuleType) -> None:
        """See `Loader`."""
        tree = _Mutator(self._mutant.number).visit(ast.parse(_text_of(self._mutant.module)))
        exec(compile(tree, str(self._path), "exec"), module.__dict__)  # noqa: S102 - our own source, changed


# ---------------------------------------------------------------- running


def tests_for(module: str) -> list[str]:
    """The tests to run, those of the module itself first: they kill soonest."""
    own = ROOT / "tests" / "unit" / "pool" / f"test_{module}.py"
    return [str(own), *TESTS] if own.exists() else list(TESTS)


def start(mutant: Mutant | None, deselected: Sequence[str]) -> int:
    """Run the tests on a mutant in a process of its own; returns its id."""
    child = os.fork()
    if child:
        return child
    os.setpgid(0, 0)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    code = 1
    try:
        import pytest

        if mutant is not None:
            sys.meta_path.insert(0, ChangedModule(mutant))
        options = [
            "-x",
            "-q",
            "--assert=plain",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:randomly",
            "--timeout=20",
        ]
        options += [f"--deselect={each}" for each in deselected]
        code = int(pytest.main([*options, *tests_for(mutant.module if mutant else "")]))
    finally:
        os._exit(code)


def run_all(
    mutants: Sequence[Mutant], jobs: int, patience: float, deselected: Sequence[str]
) -> Iterator[tuple[Mutant, bool]]:
    """Every mutant as it ends, and whether it was killed."""
    pending = list(reversed(mutants))
    running: dict[int, tuple[Mutant, float]] = {}
    while pending or running:
        while pending and len(running) < jobs:
            mutant = pending.pop()
            running[start(mutant, deselected)] = (mutant, time.monotonic() + patience)
        time.sleep(0.02)
        for child, (mutant, deadline) in list(running.items()):
            ended, status = os.waitpid(child, os.WNOHANG)
            if not ended and time.monotonic() > deadline:
                os.killpg(child, signal.SIGKILL)
                _, status = os.waitpid(child, 0)
                ended = child
            if ended:
                del running[child]
                yield mutant, status != 0


def main() -> int:
    """Run what the command line asks for; fails when too many survive."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("modules", nargs="*", default=MODULES, help="modules of the pool, by name")
    parser.add_argument("--jobs", type=int, default=2, help="mutants at a time")
    parser.add_argument("--every", type=int, default=1, help="run one mutant in so many")
    parser.add_argument("--deselect", action="append", default=[], help="a test to leave out")
    asked = parser.parse_args()
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    for name in SHARED:
        importlib.import_module(name)

    began = time.monotonic()
    _, status = os.waitpid(start(None, asked.deselect), 0)
    if status:
        print("the tests fail on the pool as it is: mend that first")
        return 2
    patience = 5 + 3 * (time.monotonic() - began)

    mutants = [each for module in asked.modules for each in mutants_of(module)]
    known = {(each.module, each.change) for each in mutants}
    for module, change in EQUIVALENT.keys() - known:
        if module in asked.modules:
            print(f"no mutant of {module}.py any more: {change}")
    mutants = [each for each in mutants[:: asked.every] if (each.module, each.change) not in EQUIVALENT]
    killed: Counter[str] = Counter()
    of: Counter[str] = Counter()
    for mutant, dead in run_all(mutants, asked.jobs, patience, asked.deselect):
        of[mutant.module] += 1
        killed[mutant.module] += dead
        if not dead:
            print(f"survived  {mutant.module}.py:{mutant.line}  {mutant.change}", flush=True)
    for module in asked.modules:
        _print_score(module, killed[module], of[module])
    _print_score("together", killed.total(), of.total())
    return killed.total() < WANTED * of.total()


def _print_score(name: str, killed: int, of: int) -> None:
    print(f"{name:14}{killed:5} of {of:5} killed {killed / max(of, 1):7.1%}")


if __name__ == "__main__":
    sys.exit(main())
