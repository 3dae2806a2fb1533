"""``vhmae app``."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import sys
import threading
import urllib.parse
import webbrowser
from pathlib import Path
from typing import Any

from vhmae.app.job import USUAL_PORT, AppJob
from vhmae.cli.options import REPORTED, add_options, add_set_options, given_options
from vhmae.cli.parser import add_command, check_web
from vhmae.cli.words import print_warnings
from vhmae.engine.settings import FOR_EVERYONE, HarmonizerSettings
from vhmae.errors import InputError
from vhmae.options import build_options, option

LOOPBACK = ("127.0.0.1", "localhost", "::1")
TOKEN = "VHMAE_APP_TOKEN"
"""The variable that may name the token of ``--remote``, for servers that are started again."""
DEMO = Path("demo")


@dataclasses.dataclass(frozen=True, kw_only=True)
class AppReport:
    """What the command tells; its page tells the rest."""

    quiet: bool = option(False, flag="-q/--quiet", group=REPORTED)
    """Print the address alone."""
    verbose: bool = option(False, flag="-v/--verbose", group=REPORTED)
    """Print where an internal error lies."""


def add_app(commands: Any) -> None:
    text = "open a page to see a composite, say what is wrong with it, and take the result away"
    parser = add_command(commands, "app", _app, text)
    parser.set_defaults(
        kept_when_stopped="projects are saved, and what was rendered may be resumed"
    )
    add_options(parser, AppJob)
    add_options(
        parser,
        HarmonizerSettings,
        only=["weights", "backend", "device", "precision", "threads"],
        usual=FOR_EVERYONE,
    )
    add_set_options(parser, AppReport)
    parser.set_defaults(json=None)


def _app(args: Any) -> None:
    check_web("app")
    job = build_options(AppJob, given_options(args, AppJob))
    host = job.host or ("0.0.0.0" if job.remote else "127.0.0.1")
    if host not in LOOPBACK and not job.remote:
        raise InputError(
            f"--host {host}: other machines could reach it without a token; add --remote"
        )
    given = {**FOR_EVERYONE, **given_options(args, HarmonizerSettings)}
    settings = build_options(HarmonizerSettings, given)
    from vhmae.app.demo import make_demo
    from vhmae.app.site import REMOTE, App, Limits
    from vhmae.web.serving import address_of, serve

    bound = _listen(host, job.port)
    usual = REMOTE if job.remote else Limits()
    limits = Limits(
        upload_bytes=usual.upload_bytes if job.upload_limit is None else job.upload_limit << 20,
        projects=usual.projects,
        rate=usual.rate if job.rate is None else job.rate,
    )
    with contextlib.ExitStack() as stack:
        stack.callback(bound.close)
        folder = job.folder or (DEMO if job.demo else Path())
        demo = make_demo(folder).name if job.demo else ""
        app = App(
            folder,
            settings,
            remote=job.remote,
            token=os.environ.get(TOKEN, ""),
            prefix=job.prefix,
            https_only=job.https,
            limits=limits,
            demo=demo,
        )
        stack.callback(app.close)
        print_warnings(app.folder.warnings, args.quiet)
        app.open_network()
        address = f"{address_of(bound)}{job.prefix}/"
        if job.remote:
            address += f"?token={urllib.parse.quote(app.secrets.token, safe='')}"
        print(address, flush=True)
        if not args.quiet:
            print("Ctrl-C ends it; projects are saved as you go", file=sys.stderr)
        if job.browser and not job.remote and _has_screen():
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
        serve(app.application, bound, ending=app.end)


def _listen(host: str, port: int | None) -> Any:
    from vhmae.web.serving import listen

    if port is not None:
        return listen(host, port)
    try:
        return listen(host, USUAL_PORT)
    except InputError:
        return listen(host, 0)  # another app is open


def _has_screen() -> bool:
    """Whether a browser would be seen: in a terminal alone, a text browser would take it over."""
    if not sys.stdout.isatty():
        return False
    named = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    return sys.platform in ("darwin", "win32") or any(os.environ.get(name) for name in named)
