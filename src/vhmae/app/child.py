"""A command of this package in a process of its own, which ends when whoever began it does:
``python -m vhmae.app.child harmonize ...``."""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading

GRACE_SECONDS = 10.0
"""For a command to clear away after an interrupt, once nobody waits for it."""


def _watch() -> None:
    """Wait until the other end of our input is closed: by an end of any kind."""
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(GRACE_SECONDS)
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_watch, daemon=True).start()
    sys.argv[0] = "vhmae"
    runpy.run_module("vhmae", run_name="__main__", alter_sys=False)
