"""The ``vhmae`` command, also as ``python -m vhmae``: what it needs is loaded where Ctrl-C is
answered already."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from vhmae.errors import is_interrupted


def run() -> NoReturn:
    """Run the command that the process was begun with."""
    try:
        from vhmae import cli
    except (KeyboardInterrupt, ImportError) as error:
        if not is_interrupted(error):
            raise
        print("vhmae: error: stopped: interrupted; nothing was written", file=sys.stderr)
        os._exit(130)
    cli.run()


if __name__ == "__main__":
    run()
