"""``vhmae app``."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import webbrowser
from pathlib import Path
from typing import Any

from vhmae.cli.options import add_options, given_options
from vhmae.cli.parser import (
    add_command,
    check_web,
    natural,
    prefix,
)
from vhmae.engine.settings import FOR_EVERYONE, HarmonizerSettings
from vhmae.errors import InputError
from vhmae.options import build_options

USUAL_PORT = 8765
LOOPBACK = ("127.0.0.1", "localhost", "::1")
TOKEN = "VHMAE_APP_TOKEN"
"""The variable that may name the token of ``--remote``, for servers that are started again."""
DEMO = Path("demo")


def add_app(commands: Any) -> None:
    text = "open a page to see a composite, say what is wrong with it, and take the result away"
    parser = add_command(commands, "app", _app, text)
    parser.set_defaults(
        kept_when_stopped="projects are saved, and what was rendered may be resumed"
    )
    parser.add_argument(
        "folder",
        nargs="?",
        type=Path,
        metavar="FOLDER",
        help="where the clips are; nothing outside it is read or written (the current one)",
    )
    parser.add_argument(
        "--demo",
        action="store_true",
        help="open a composite of photographs, made in FOLDER (demo)",
    )
    parser.add_argument(
        "--no-browser", action="store_true", help="print the address, and open no browser"
    )
    parser.add_argument(
        "--remote",
        action="store_true",
        help="serve other machines, too: to whoever has the token that is printed",
    )
    parser.add_argument(
        "--host", metavar="ADDRESS", help="where to listen (127.0.0.1; with --remote 0.0.0.0)"
    )
    parser.add_argument(
        "--port",
        type=natural,
        metavar="N",
        help=f"0 takes any that is free ({USUAL_PORT}, or any)",
    )
    parser.add_argument(
        "--prefix",
        type=prefix,
        default="",
        metavar="PATH",
        help="behind a proxy: where it shows the page, as /look",
    )
    parser.add_argument(
        "--https",
        action="store_true",
        help="behind a proxy that ends TLS: send cookies over https alone",
    )
    parser.add_argument(
        "--upload-limit",
        type=natural,
        metavar="MB",
        help="of all files that are sent to the server, together (8192; with --remote 2048)",
    )
    parser.add_argument(
        "--rate",
        type=natural,
        metavar="N",
        help="requests a minute and address; 0 is no limit (0; with --remote 6000)",
    )
    add_options(
        parser,
        HarmonizerSettings,
        only=["weights", "backend", "device", "precision", "threads"],
        usual=FOR_EVERYONE,
    )
    group = parser.add_argument_group("what is reported")
    group.add_argument("-q", "--quiet", action="store_true", help="print the address alone")
    group.add_argument(
        "-v", "--verbose", action="store_true", help="print where an internal error lies"
    )
    parser.set_defaults(json=None)


def _app(args: Any) -> None:
    check_web("app")
    host = args.host or ("0.0.0.0" if args.remote else "127.0.0.1")
    if host not in LOOPBACK and not args.remote:
        raise InputError(
            f"--host {host}: other machines could reach it without a token; add --remote"
        )
    given = {**FOR_EVERYONE, **given_options(args, HarmonizerSettings)}
    settings = build_options(HarmonizerSettings, given)
    from vhmae.app.demo import make_demo
    from vhmae.app.site import REMOTE, App, Limits
    from vhmae.web.serving import address_of, serve

    bound = _listen(host, args.port)
    usual = REMOTE if args.remote else Limits()
    limits = Limits(
        upload_bytes=usual.upload_bytes if args.upload_limit is None else args.upload_limit << 20,
        projects=usual.projects,
        rate=usual.rate if args.rate is None else args.rate,
    )
    with contextlib.ExitStack() as stack:
        stack.callback(bound.close)
        folder = args.folder or (DEMO if args.demo else Path())
        demo = make_demo(folder).name if args.demo else ""
        app = App(
            folder,
            settings,
            remote=args.remote,
            token=os.environ.get(TOKEN, ""),
            prefix=args.prefix,
            https_only=args.https,
            limits=limits,
            demo=demo,
        )
        stack.callback(app.close)
        address = f"{address_of(bound)}{args.prefix}/"
        if args.remote:
            address += f"?token={app.secrets.token}"
        print(address, flush=True)
        if not args.quiet:
            print("Ctrl-C ends it; projects are saved as you go", file=sys.stderr)
        if not args.no_browser and not args.remote and _has_screen():
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
