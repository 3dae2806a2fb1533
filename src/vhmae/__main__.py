"""``python -m vhmae`` is the ``vhmae`` command."""

from vhmae.cli import run

if __name__ == "__main__":
    run()
