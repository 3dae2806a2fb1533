"""``python -m vhmae`` is the ``vhmae`` command."""

from vhmae.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
