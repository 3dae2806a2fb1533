"""A command that serves pages, as a process of its own."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import IO

from tests.support.scenes import heeding_interrupts


@contextlib.contextmanager
def served(*arguments: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run ``vhmae ARGUMENTS --port 0``; gives the address and the process."""
    with serving([sys.executable, "-m", "vhmae", *arguments, "--port", "0"]) as found:
        yield found


@contextlib.contextmanager
def serving(command: list[str]) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run a command whose first line is the address that it serves at."""
    with heeding_interrupts():
        begun = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ}
        )
    with begun as process:
        try:
            assert process.stdout is not None
            yield _address(process.stdout, process), process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                try:
                    process.communicate(timeout=20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    raise


def _address(lines: IO[str], process: subprocess.Popen[str]) -> str:
    first = lines.readline()
    found = re.match(r"(http://\S+)", first)
    if found is None:
        _, problem = process.communicate(timeout=20)
        raise AssertionError(f"does not serve: {first} {problem}")
    return found[1]
