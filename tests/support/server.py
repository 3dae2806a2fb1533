"""A command that serves pages, as a process of its own."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import IO, Any

from tests.support.scenes import heeding_interrupts


class Served(subprocess.Popen[str]):
    """A command that serves. What it says on stderr goes into a file: a pipe that nobody reads
    would hold it up."""

    def __init__(self, command: list[str]) -> None:
        with tempfile.TemporaryFile() as told:
            super().__init__(
                command, stdout=subprocess.PIPE, stderr=told, text=True, env={**os.environ}
            )
            self._file = os.dup(told.fileno())

    @property
    def told(self) -> str:
        """What it has said on stderr by now."""
        return os.pread(self._file, os.fstat(self._file).st_size, 0).decode()

    def __exit__(self, *exception: Any) -> None:
        super().__exit__(*exception)
        os.close(self._file)


@contextlib.contextmanager
def served(*arguments: str) -> Iterator[tuple[str, Served]]:
    """Run ``vhmae ARGUMENTS --port 0``; gives the address and the process."""
    with serving([sys.executable, "-m", "vhmae", *arguments, "--port", "0"]) as found:
        yield found


@contextlib.contextmanager
def serving(command: list[str]) -> Iterator[tuple[str, Served]]:
    """Run a command whose first line is the address that it serves at."""
    with heeding_interrupts():
        begun = Served(command)
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


def _address(lines: IO[str], process: Served) -> str:
    first = lines.readline()
    found = re.match(r"(http://\S+)", first)
    if found is None:
        process.wait(timeout=20)
        raise AssertionError(f"does not serve: {first} {process.told}")
    return found[1]
