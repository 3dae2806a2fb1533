"""Change single places of the code, and see whether the tests of the room notice: what they would
let pass. Needs cosmic-ray, whose changes these are: make mutants, or

    python tools/mutants.py --sample 10 --seed 0 --json benchmarks/results/mutants.json

Draws places of each room, makes one change at each in a copy of the tree, and runs the tests of the
room, those that name the changed module first, until one fails. A change that makes them take far
longer is noticed, too. Fails where less than 85 % of all changes are noticed.

A run that was stopped goes on where the same command is given again: what the report has judged of
the code and tests as they are now is not judged again.
"""

from __future__ import annotations

import os

os.environ |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

import argparse
import ast
import compileall
import contextlib
import dataclasses
import hashlib
import importlib
import itertools
import json
import math
import py_compile
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cosmic_ray.plugins
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from scipy.stats import binomtest

ROOT = Path(__file__).parents[1]
ROOMS = ("model", "color", "data", "engine", "evaluation", "study")
LEAST_NOTICED = 0.85
REASONS = Path(__file__).with_name("mutants.json")
"""Of changes that are known to pass, why that is right: room, line before and after, reason."""
HEAVY = (
    *("numpy", "torch", "cv2", "av", "numba", "scipy.stats", "onnxruntime"),
    *("pytest", "hypothesis", "_hypothesis_pytestplugin", "pytest_timeout", "fastapi.testclient"),
)
"""Imported once: each run of the tests begins as a fork of this process, which has no room yet."""
MORE_TIME = 4.0
"""Tests have noticed a change with which they take so many times the processor's time ..."""
LEAST_SECONDS = 120.0
"""... and so many seconds of it at the least."""
BUSY = 10.0
"""A machine that is busy is waited for so many times as long; tests that hang have noticed it."""
TOO_LONG = (signal.SIGKILL, signal.SIGXCPU)
CRASHES = (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL)
"""What machine code ends in that was changed."""
CONFTEST_BROKEN = "ImportError while loading conftest"
"""What pytest says, under an exit status of its own, where all tests' common ground breaks."""


@dataclasses.dataclass(frozen=True)
class Change:
    """A place of a module, and what is made of it."""

    room: str
    module: str
    """Its path below the root."""
    line: int
    operator: str
    occurrence: int

    def made(self, source: str) -> str:
        operator = cosmic_ray.plugins.get_operator(self.operator)()
        changed: str | None = mutate_code(source, operator, self.occurrence)
        assert changed is not None, self
        return changed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rooms", nargs="+", choices=ROOMS, default=ROOMS)
    parser.add_argument("--sample", type=int, default=10, help="changes of each room")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--limit",
        type=float,
        metavar="SECONDS",
        help="what the tests of a room may take of the processor, where they are known to pass "
        "(several times of what they take unchanged)",
    )
    parser.add_argument("--json", type=Path, help="where the report goes")
    args = parser.parse_args()
    if args.json is not None:
        args.json.parent.mkdir(parents=True, exist_ok=True)
    sys.dont_write_bytecode = True
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    for name in HEAVY:
        importlib.import_module(name)
    known = json.loads(args.json.read_text())["rows"] if args.json and args.json.exists() else []
    rows: list[dict[str, Any]] = []
    with copied_tree() as folder:
        rooms = [drawn(folder, room, args.sample, args.seed) for room in args.rooms]
        # Of each room in turn: such a run is often stopped, and has looked at all of them then.
        changes = [*filter(None, itertools.chain(*itertools.zip_longest(*rooms)))]
        judged = {change: row for change in changes if (row := judged_row(folder, change, known))}
        limits: dict[str, float] = {}
        for change in changes:
            if change not in judged:
                if change.room not in limits:
                    limits[change.room] = args.limit or usual_limit(folder, change.room)
                judged[change] = judge(folder, change, limits[change.room])
                print(json.dumps(judged[change]), flush=True)
            rows = [judged[change] for change in changes if change in judged]
            if args.json is not None:
                args.json.write_text(json.dumps(report(rows, args.seed), indent=1) + "\n")
    told = report(rows, args.seed)
    print(f"{told['noticed']} of {told['changes']} noticed, 95 %: {told['interval']}")
    sys.exit(told["share"] < LEAST_NOTICED)


def report(rows: Sequence[dict[str, Any]], seed: int) -> dict[str, Any]:
    noticed = noticed_of(rows)
    rooms = {
        room: [noticed_of(own), len(own), *_interval(noticed_of(own), len(own))]
        for room in ROOMS
        if (own := [row for row in rows if row["room"] == room])
    }
    return {
        "seed": seed,
        "changes": len(rows),
        "noticed": noticed,
        "share": round(noticed / len(rows), 3),
        "interval": _interval(noticed, len(rows)),
        "rooms": rooms,
        "unnoticed": [row for row in rows if not row["noticed"]],
        "rows": list(rows),
    }


def noticed_of(rows: Sequence[dict[str, Any]]) -> int:
    return sum(row["noticed"] for row in rows)


def _interval(noticed: int, changes: int) -> list[float]:
    """Of a share, 95 %."""
    interval = binomtest(noticed, changes).proportion_ci(0.95, "wilson")
    return [round(float(interval.low), 3), round(float(interval.high), 3)]


def state_of(folder: Path, change: Change) -> dict[str, str]:
    """Digests of what a judgement rests on: the module, and the tests of its room."""
    source = (folder / change.module).read_bytes()
    tests = b"".join(Path(file).read_bytes() for file in room_tests(folder, change.room))
    return {
        "source": hashlib.sha256(source).hexdigest()[:16],
        "tests": hashlib.sha256(tests).hexdigest()[:16],
    }


def judged_row(
    folder: Path, change: Change, known: Sequence[dict[str, Any]]
) -> dict[str, Any] | None:
    """The row of an earlier run that holds: what was noticed is, whatever tests came since."""
    state, place = state_of(folder, change), dataclasses.asdict(change)
    for row in known:
        same = all(row[key] == value for key, value in place.items())
        holds = row["noticed"] or row["tests"] == state["tests"]
        if same and row["source"] == state["source"] and holds:
            return row if row["noticed"] else row | {"reason": reason_of(row)}
    return None


@contextlib.contextmanager
def copied_tree() -> Iterator[Path]:
    """The files that git knows of, in a folder that goes away."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    with tempfile.TemporaryDirectory(prefix="mutants-") as name:
        folder = Path(name)
        for file in listed.stdout.splitlines():
            if (ROOT / file).is_file():
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / file, folder / file)
        # Told apart by what they hold, since a change may leave a file's size and second as they
        # were; each fork would otherwise compile all that it imports.
        by_content = py_compile.PycInvalidationMode.CHECKED_HASH
        compileall.compile_dir(folder / "src", quiet=1, invalidation_mode=by_content)
        yield folder


def usual_limit(folder: Path, room: str) -> float:
    """What the tests of a room may take under a change; they must pass without one."""
    usual = run_tests(folder, [room_tests(folder, room)], None)
    if usual.code:
        sys.exit(f"{room}: its tests fail as the code stands:\n{usual.output[-2000:]}")
    return max(LEAST_SECONDS, MORE_TIME * usual.seconds)


def drawn(folder: Path, room: str, count: int, seed: int) -> list[Change]:
    """Places drawn of a room, each with one of the changes that can be made there."""
    places: dict[tuple[str, Any, Any], list[Change]] = {}
    for module in sorted((folder / "src" / "vhmae" / room).rglob("*.py")):
        name = str(module.relative_to(folder))
        for start, end, change in changes_of(room, name, module.read_text(encoding="utf-8")):
            places.setdefault((name, start, end), []).append(change)
    dice = random.Random(f"{seed} {room}")
    chosen = dice.sample(sorted(places), min(count, len(places)))
    return [dice.choice(places[place]) for place in chosen]


def changes_of(
    room: str, name: str, source: str
) -> Iterator[tuple[tuple[int, int], tuple[int, int], Change]]:
    """Every change of a module, with where it begins and ends; types say nothing to a test."""
    nodes = list(ast_nodes(get_ast(source)))
    types = list(type_places(ast.parse(source)))
    for kind in cosmic_ray.plugins.operator_names():
        operator_class = cosmic_ray.plugins.get_operator(kind)
        if operator_class.arguments():  # wants to be told more
            continue
        operator = operator_class()
        places = (place for node in nodes for place in operator.mutation_positions(node))
        for occurrence, (start, end) in enumerate(places):
            if not any(low <= start < high for low, high in types):
                yield start, end, Change(room, name, start[0], kind, occurrence)


def type_places(tree: ast.AST) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    for node in ast.walk(tree):
        frozen = node.value if isinstance(node, ast.keyword) and node.arg == "frozen" else None
        hints = (getattr(node, "annotation", None), getattr(node, "returns", None))
        for found in (*hints, frozen):  # mypy holds all to what is frozen, too
            if isinstance(found, ast.expr):
                assert found.end_lineno is not None
                assert found.end_col_offset is not None
                begin = found.lineno, found.col_offset
                yield begin, (found.end_lineno, found.end_col_offset)


def judge(folder: Path, change: Change, limit: float) -> dict[str, Any]:
    """Make a change in the copy, run the tests of its room, and take it back."""
    path = folder / change.module
    source = path.read_text(encoding="utf-8")
    changed = change.made(source)
    path.write_text(changed, encoding="utf-8")
    try:
        first = named_tests(folder, change.room, change.module)
        others = [file for file in room_tests(folder, change.room) if file not in first]
        ran = run_tests(folder, [first, others], limit)
    finally:
        path.write_text(source, encoding="utf-8")
    before, after = difference(source, changed)
    row = {
        **dataclasses.asdict(change),
        "before": before,
        "after": after,
        "noticed": ran.code != 0,
        "by": ran.code and how_noticed(ran),
        "seconds": round(ran.seconds, 1),
        **state_of(folder, change),
    }
    if not row["noticed"]:
        row["reason"] = reason_of(row)
    return row


def how_noticed(ran: Ran) -> str:
    """The test that failed, or what else happened."""
    if ran.code >= 0:
        return failed_test(ran.output)
    return "time" if -ran.code in TOO_LONG else signal.Signals(-ran.code).name


def difference(source: str, changed: str) -> tuple[str, str]:
    """The first line that a change made another one."""
    for before, after in zip(source.splitlines(), changed.splitlines(), strict=False):
        if before != after:
            return before.strip(), after.strip()
    return "", ""


def reason_of(row: dict[str, Any]) -> str | None:
    for known in json.loads(REASONS.read_text()) if REASONS.exists() else []:
        if all(known[key] == row[key] for key in ("module", "before", "after")):
            return str(known["reason"])
    return None


def room_tests(folder: Path, room: str) -> list[str]:
    """The test files of a room."""
    return [str(file) for file in sorted((folder / "tests" / room).rglob("test_*.py"))]


def named_tests(folder: Path, room: str, module: str) -> list[str]:
    """Those that name a module."""
    dotted = module.removeprefix("src/").removesuffix(".py").replace("/", ".")
    package, _, name = dotted.rpartition(".")
    named = re.compile(rf"\b{dotted}\b|\bfrom {package} import .*\b{name}\b")
    files = room_tests(folder, room)
    return [file for file in files if named.search(Path(file).read_text(encoding="utf-8"))]


@dataclasses.dataclass(frozen=True)
class Ran:
    code: int
    """0: all tests pass; below 0: they took too long, or the interpreter crashed."""
    seconds: float
    """Of the processor."""
    output: str


def run_tests(folder: Path, turns: Sequence[Sequence[str]], limit: float | None) -> Ran:
    """Run tests in a fork of this process, in the copy, until one fails: the files of one turn
    after those of the other, which are not even read until then."""
    began = time.monotonic()
    with tempfile.TemporaryFile("w+", encoding="utf-8") as out:
        child = os.fork()
        if child == 0:
            _in_the_fork(folder, turns, limit, out.fileno())
        code: int | None = None
        try:
            while code is None:
                done, status, used = os.wait4(child, os.WNOHANG)
                if done:
                    code = os.waitstatus_to_exitcode(status)
                elif limit is not None and time.monotonic() - began > BUSY * limit:
                    break
                else:
                    time.sleep(0.1)
        finally:
            # It hangs, took too much or this run is stopped: no tests go on without it.
            with contextlib.suppress(ProcessLookupError):  # no session of its own yet, or none left
                os.killpg(child, signal.SIGKILL)
            if code is None:
                code = -signal.SIGKILL
                os.kill(child, signal.SIGKILL)
                _, _, used = os.wait4(child, 0)
        out.seek(0)
        output = out.read()
        # pytest's own trouble notices nothing; a package that cannot be imported is noticed.
        broken = limit is not None and CONFTEST_BROKEN in output
        crashed = limit is not None and -code in CRASHES  # unchanged, they come to their end
        if code not in (0, 1, 2, *(-one for one in TOO_LONG)) and not broken and not crashed:
            sys.exit(f"the tests could not be run ({code}):\n{output[-2000:]}")
        return Ran(code, used.ru_utime + used.ru_stime, output)


def _in_the_fork(
    folder: Path, turns: Sequence[Sequence[str]], limit: float | None, out: int
) -> None:
    """Never returns; 70 where the tests could not be run."""
    code = os.EX_SOFTWARE
    try:
        os.setsid()
        if limit is not None:  # of the processor: a busy machine would be taken for a slow change
            resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(limit), math.ceil(limit) + 5))
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        for stream in (1, 2):
            os.dup2(out, stream)
        os.chdir(folder)
        paths = [str(folder / "src"), str(folder)]
        sys.path[:0] = paths
        os.environ["PYTHONPATH"] = os.pathsep.join(paths)
        os.environ["NUMBA_CACHE_DIR"] = str(folder / ".numba")
        import pytest

        options = ["-x", "-q", "--no-header", "--tb=line", "-p", "no:cacheprovider"]
        options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # HEAVY has its plugins
        ended = 0
        for files in turns:
            if files and ended in (0, pytest.ExitCode.NO_TESTS_COLLECTED):  # all of them are long
                ended = int(pytest.main([*options, *files], plugins=[_NoClock()]))
        code = ended
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)


class _NoClock:
    """Tests may take as long as a busy machine needs: what they take of the processor is held."""

    def pytest_timeout_set_timer(self) -> bool:
        return True


def failed_test(output: str) -> str:
    named = [line for line in output.splitlines() if line.startswith(("FAILED ", "ERROR "))]
    return named[0].split(" - ")[0].split(" ", 1)[1] if named else "no test could be run"


if __name__ == "__main__":
    main()
