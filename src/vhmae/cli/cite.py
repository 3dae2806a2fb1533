"""``vhmae cite``: what a publication that used this should name."""

from __future__ import annotations

import dataclasses
from typing import Any

from vhmae.cli.options import add_options, add_report_options, given_options
from vhmae.cli.parser import add_command, write_report
from vhmae.options import build_options, option
from vhmae.version import __version__

PAPER = """@inproceedings{vhmae2024,
  author    = {Li, Yuhang and Jiang, Jincen and Yang, Xiaosong and Ding, Youdong and
               Zhang, Jian Jun},
  title     = {Harmony Everything! Masked Autoencoders for Video Harmonization},
  booktitle = {Proceedings of the 32nd ACM International Conference on Multimedia},
  year      = {2024},
  doi       = {10.1145/3664647.3680800}
}"""
SOFTWARE = """@software{vhmae,
  title   = {vhmae: video harmonization with masked autoencoders},
  author  = {{vhmae developers}},
  version = {VERSION},
  license = {Apache-2.0}
}"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class CiteJob:
    """What is to be cited."""

    weights: str | None = option(None, metavar="NAME|PATH")
    """Name these weights, too: their digest and licence."""


def add_cite(commands: Any) -> None:
    text = "print what to cite, as BibTeX: the paper, this program, and weights by their digest"
    parser = add_command(commands, "cite", _cite, text)
    add_options(parser, CiteJob)
    add_report_options(parser)


def _cite(args: Any) -> None:
    job = build_options(CiteJob, given_options(args, CiteJob))
    entries = [PAPER, SOFTWARE.replace("VERSION", __version__)]
    facts: dict[str, Any] = {}
    if job.weights is not None:
        from vhmae.digest import file_digest
        from vhmae.model.files import find_card

        card = find_card(job.weights)
        facts = {"weights": job.weights, "sha256": file_digest(card.path)}
        facts["licence"] = str(card.facts.get("licence", "not stated"))
        entries.append(
            f"% weights {card.path.name}, SHA-256 {facts['sha256']}; licence: {facts['licence']}"
        )
    write_report({"schema": 1, "bibtex": entries, **facts}, args.json)
    print("\n\n".join(entries))
