"""The command line: thin, and quick to answer, since everything heavy is imported by the command
that needs it."""

from __future__ import annotations

import atexit
import contextlib
import errno
import importlib
import io
import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn, TextIO

from vhmae.cli.parser import NOTHING_LEFT, Parser, is_device
from vhmae.cli.words import with_flags
from vhmae.errors import InputError, VhmaeError, is_interrupted, lacks_torch, needs_torch
from vhmae.version import __version__

LONGEST_ERROR = 400
COMMANDS = {
    "harmonize": "harmonize.add_harmonize",
    "preview": "preview.add_preview",
    "batch": "batch.add_batch",
    "export": "export.add_export",
    "matte": "matte.add_matte",
    "demo": "harmonize.add_demo",
    "app": "app.add_app",
    "diagnose": "guided.add_diagnose",
    "alternatives": "guided.add_alternatives",
    "evaluate": "evaluate.add_evaluate",
    "compare": "evaluate.add_compare",
    "synthesize": "sets.add_synthesize",
    "aligned": "sets.add_aligned",
    "train": "train.add_train",
    "pack-mask": "pack_mask.add_pack_mask",
    "weights": "train.add_weights",
    "cite": "cite.add_cite",
    "fit-constant": "evaluate.add_fit_constant",
    "fit-prior": "fit_prior.add_fit_prior",
    "rcvh": "rcvh.add_rcvh",
    "study": "study.add_study",
    "doctor": "doctor.add_doctor",
    "completion": "completion.add_completion",
}
"""All commands, and the function of this room that adds each. Only the one that is used is imported
and built: all of them take a tenth of a second, which who waits for a picture would wait for."""


def build_parser(command: str | None = None) -> Parser:
    """The parser of all commands, or with one of them alone."""
    parser = Parser(
        prog="vhmae", description="Make a composite video look as if it had been shot at once."
    )
    parser.add_argument("--version", action="version", version=f"vhmae {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)
    for name in COMMANDS if command is None else (command,):
        module, _, function = COMMANDS[name].partition(".")
        getattr(importlib.import_module(f"vhmae.cli.{module}"), function)(commands)
    return parser


def run() -> NoReturn:
    """:func:`main` as a process of its own. It ends as soon as all is put away: for Python to
    take its libraries down piece by piece takes a second or two that whoever pressed Ctrl-C waits
    for."""
    codes: list[int] = []
    atexit.register(_leave, codes)  # the first to be registered is the last to be called
    codes.append(main())
    sys.exit(codes[0])


def _leave(codes: list[int]) -> None:
    """End the process with the code of what was done, if it has one."""
    if codes:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(codes[0])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code: 0 done, 2 what the user can mend, 1 failure during the
    work, 130 Ctrl-C."""
    for name in ("SIGTERM", "SIGHUP"):  # a closed terminal, too, must leave nothing half-written
        if hasattr(signal, name) and signal.getsignal(getattr(signal, name)) is not signal.SIG_IGN:
            signal.signal(getattr(signal, name), _interrupt)
    sys.stdout, sys.stderr = sys.stdout or _nowhere(), sys.stderr or _nowhere()
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Names that a terminal cannot show are no failure.
        sys.stdout.reconfigure(errors="backslashreplace")
    # What is damaged is told in one line; OpenCV would print its own of each such picture.
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    args: Any = None
    verbose, kept = False, NOTHING_LEFT
    try:
        words = sys.argv[1:] if arguments is None else arguments
        args = build_parser(words[0] if words and words[0] in COMMANDS else None).parse_args(words)
        verbose, kept = args.verbose, args.kept_when_stopped
        if getattr(args, "resume", False):
            kept = "run it again with --resume to go on"
        _check_report(args)
        args.run(args)
        return _said()
    except VhmaeError as error:
        _print_error(with_flags(str(error), None if args is None else args.parser))
        return error.exit_code
    except KeyboardInterrupt:
        _print_error(f"stopped: interrupted; {kept}")
        return 130
    except BrokenPipeError:
        _print_error("stopped: what reads the output has closed it")
        return 1
    except MemoryError:
        _print_error(
            "out of memory: the work did not fit; close other programs or use a smaller size"
        )
        return 1
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            _print_error(f"{error.filename}: its name is too long; choose a shorter one")
            return InputError.exit_code
        if error.errno in (errno.EACCES, errno.EPERM) and error.filename is not None:
            _print_error(f"{error.filename}: {error.strerror}; check its permissions")
            return InputError.exit_code
        if error.errno == errno.ELOOP:
            _print_error(_looped(error.filename))
            return InputError.exit_code
        _print_error(
            f"{error.filename or 'system'}: {error.strerror or error}; check the disk and the "
            "permissions"
        )
        return 1
    except Exception as error:
        if is_interrupted(error):
            _print_error(f"stopped: interrupted; {kept}")
            return 130
        if lacks_torch(error):
            command = args.parser.prog if args is not None else "this command"
            _print_error(needs_torch(command))
            return InputError.exit_code
        if isinstance(error, RuntimeError) and str(error).startswith(
            "Symlink loop from "
        ):  # pathlib's way to say ELOOP
            _print_error(_looped(str(error).removeprefix("Symlink loop from ").strip("'")))
            return InputError.exit_code
        if verbose:
            raise
        _print_error(
            f"internal error: {type(error).__name__}: {error}; this is a fault of vhmae: run again "
            "with -v and report it"
        )
        return 1


def _looped(name: object) -> str:
    return f"{name}: is a link that leads to itself; name the file that is meant"


def _nowhere() -> TextIO:
    """Where words go that nobody can read: it stays open for as long as the program runs."""
    return open(os.devnull, "w", encoding="utf-8")


def _said() -> int:
    """Bring out what was printed; that nobody reads it any more is no failure of what was done
    before."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        # Or the interpreter fails at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _interrupt(signum: int, frame: object) -> None:
    raise KeyboardInterrupt


def _print_error(message: str) -> None:
    line = " ".join(message.split())
    if len(line) > LONGEST_ERROR - 20:  # the end says what to do
        half = (LONGEST_ERROR - 26) // 2
        line = f"{line[:half]} ... {line[-half:]}"
    print(f"vhmae: error: {line}", file=sys.stderr)


def _check_report(args: Any) -> None:
    """Refuse a report that cannot be written, or would take another file's place, before the work
    and not after it."""
    path: Path | None = args.json
    if path == Path("-"):
        raise InputError("--json -: would be a file of that name; /dev/stdout prints the report")
    if path is None or (is_device(path) and not path.is_dir()):
        return
    path = path.resolve()
    if path.is_dir() or not path.parent.is_dir():
        raise InputError(
            f"--json {path}: is a folder or lies in none; give a file in a folder that exists"
        )
    if not os.access(path.parent, os.W_OK):
        raise InputError(
            f"--json {path}: the folder {path.parent} cannot be written; choose another"
        )
    named = [value for name, value in vars(args).items() if name != "json"]
    words = [
        word for value in named for word in (value if isinstance(value, (list, tuple)) else [value])
    ]
    for word in words:
        names = (
            {str(word), str(word).partition("=")[2]} - {""}
            if isinstance(word, (str, Path))
            else set()
        )
        if any(Path(name).resolve() == path.resolve() for name in names):
            raise InputError(
                f"--json {path}: is a file of the work itself; choose another name for the report"
            )
    if path.is_file() and not _is_report(path):  # a guide, or one of a folder of masks, say
        raise InputError(f"--json {path}: is there already and is no report; choose another name")


OF_DOCUMENTS = {"vhmae", "points", "choices", "dials", "consent", "asked", "covariance"}
"""Keys of what is no report: projects, guides, studies, what a batch was asked, priors."""


def _is_report(path: Path) -> bool:
    """Whether a file is a report, or holds nothing."""
    with path.open("rb") as file:
        if file.read(256).lstrip()[:1] not in (b"", b"{"):
            return False
    try:
        tree = json.loads(path.read_text(encoding="utf-8") or "{}")
    except (ValueError, RecursionError):
        return False
    return isinstance(tree, dict) and (
        not tree or ("schema" in tree and not OF_DOCUMENTS & tree.keys())
    )
