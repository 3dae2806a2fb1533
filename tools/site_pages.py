"""Pages of the site that are made of the package itself: commands and their options, names of the
Python API, keys of recipes, recipes, changes. A hook of mkdocs (mkdocs.yml)."""

from __future__ import annotations

import argparse
import re
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

import vhmae
from vhmae.cli import build_parser
from vhmae.config import keys_of
from vhmae.training.recipe import Recipe

ROOT = Path(__file__).parents[1]
ELSEWHERE = {
    "configs": "reference/recipes.md",
    "README.md": "index.md",
    "CHANGELOG.md": "reference/changes.md",
    "src/vhmae/assets/MODEL_CARD.md": "reference/model-card.md",
    "src/vhmae/assets/MODEL_CARD.free.md": "reference/free-model-card.md",
}
"""Pages of the site that stand for files and folders outside of docs/."""
LIVE_PAGE = ROOT / "build" / "browser"
"""Where ``make browser`` builds the page without a server; the site holds it where it is there."""
LIVE_MARK = "<!-- live -->"
WRITTEN_IN = {
    "reference/changes.md": "CHANGELOG.md",
    "reference/model-card.md": "src/vhmae/assets/MODEL_CARD.md",
    "reference/free-model-card.md": "src/vhmae/assets/MODEL_CARD.free.md",
}
"""Pages whose links count from another place than theirs."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    for name, text in made_pages().items():
        files.append(File.generated(config, f"reference/{name}.md", content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links to files of the repository outside of docs/ lead to what the site has of them; a file
    of the code is named and not linked."""
    uri = page.file.src_uri
    markdown = markdown.replace(LIVE_MARK, live_words())
    folder = PurePosixPath(WRITTEN_IN.get(uri, f"docs/{uri}")).parent
    up = "../" * (len(PurePosixPath(uri).parts) - 1)

    def led(match: re.Match[str]) -> str:
        text, target, place = match[1], match[2], match[3] or ""
        if "://" in target:
            return match[0]
        path = _normal(folder / target)
        if path.parts[0] == "docs":
            return f"[{text}]({up}{path.relative_to('docs')}{place})"
        for start, instead in ELSEWHERE.items():
            if PurePosixPath(start) in (path, *path.parents):
                return f"[{text}]({up}{instead}{place})"
        if not (ROOT / path).exists():
            raise PluginError(f"{uri}: {target}: leads nowhere")
        return f"{text} (`{path}`)"

    return re.sub(r"\[([^\]]*)\]\(([^)#\s]+)(#[^)\s]*)?\)", led, markdown)


def on_post_build(config: MkDocsConfig) -> None:
    if LIVE_PAGE.is_dir():
        shutil.copytree(LIVE_PAGE, Path(config.site_dir) / "live", dirs_exist_ok=True)


def live_words() -> str:
    """What the page about the browser says of the one that it leads to."""
    if LIVE_PAGE.is_dir():
        return '<a href="live/index.html" class="md-button">Open the page</a>'
    return (
        "This copy of the site was built without Node and does not hold the page; *Build and "
        "serve* says how to make it."
    )


def _normal(path: PurePosixPath) -> PurePosixPath:
    parts: list[str] = []
    for part in path.parts:
        if part == ".." and parts:
            parts.pop()
        else:
            parts.append(part)
    return PurePosixPath(*parts)


def made_pages() -> dict[str, str]:
    """Markdown by the name of the page."""
    assets = ROOT / "src" / "vhmae" / "assets"
    return {
        "commands": commands_page(),
        "api": api_page(),
        "recipe": recipe_page(),
        "recipes": recipes_page(),
        "changes": (ROOT / "CHANGELOG.md").read_text(),
        "model-card": (assets / "MODEL_CARD.md").read_text(),
        "free-model-card": (assets / "MODEL_CARD.free.md").read_text(),
    }


def commands_page() -> str:
    """Every command with its options, as ``--help`` has them."""
    lines = [
        "# Commands and options",
        "Made of the definitions that the commands themselves are made of; `vhmae COMMAND --help` "
        "says the same. [How commands behave](../cli.md) has what stands behind an option: what is "
        "refused, what a report holds.",
    ]
    for parser in _commands(build_parser()):
        lines += [f"## {parser.prog}", _sentence(parser.description or "")]
        lines.append(f"```text\n{_usage(parser)}\n```")
        for group in parser._action_groups:
            rows = [_row(parser, action) for action in group._group_actions if _shown(action)]
            if rows:
                if group.title not in ("positional arguments", "options", "optional arguments"):
                    lines.append(f"**{_sentence(str(group.title))}**")
                lines.append("\n".join(["| option | meaning |", "|---|---|", *rows]))
    return "\n\n".join(lines) + "\n"


def _commands(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """The commands below a parser; of those that have commands of their own, these."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                below = list(_commands(inner))
                yield from below or [inner]


def _shown(action: argparse.Action) -> bool:
    return action.help != argparse.SUPPRESS and not isinstance(action, argparse._HelpAction)


def _row(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    formatter = parser._get_formatter()
    value = ""
    if action.option_strings:
        if action.nargs != 0:
            value = f" {formatter._format_args(action, action.dest.upper())}"
        named = ", ".join(f"`{flag}{value}`" for flag in reversed(action.option_strings))
    else:
        named = f"`{formatter._format_args(action, action.dest)}`"
    told = formatter._expand_help(action) if action.help else ""
    cells = [named, _sentence(told)]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _usage(parser: argparse.ArgumentParser) -> str:
    """What must be given, and that there is more."""
    words = [parser.prog]
    formatter = parser._get_formatter()
    for action in parser._actions:
        value = formatter._format_args(action, action.dest.upper())
        if not action.option_strings:
            words.append(str(value))
        elif action.required:
            words.append(f"{action.option_strings[0]} {value}")
    return " ".join([*words, "[OPTIONS]"])


def _sentence(text: str) -> str:
    """With a capital and without line breaks; < and * are no markup."""
    text = " ".join(text.split()).replace("<", "&lt;").replace("*", "\\*")
    return text[:1].upper() + text[1:]


def api_page() -> str:
    """Every name that the package offers, of its docstrings."""
    lines = [
        "# Python, all names",
        "Made of docstrings. [Python](../python.md) shows them at work.",
    ]
    for title, names in GROUPS.items():
        lines.append(f"## {title}")
        for name in names:
            home = getattr(vhmae, name).__module__
            lines.append(f"::: {home}.{name}\n    options:\n      heading_level: 3")
    return "\n\n".join(lines) + "\n"


GROUPS = {
    "Harmonize": ("Harmonizer", "harmonize_video", "HarmonizerSettings", "HarmonizeJob"),
    "Say a word": ("Guide", "Point", "Choice", "Dials", "read_guide"),
    "Networks": ("load_model", "VHMAE", "ModelConfig"),
    "Measure": ("evaluate", "Method", "Clip", "find_method", "read_list"),
    "Train": ("Trainer", "Recipe", "read_config"),
    "Color": ("Lut3D",),
    "Errors": ("VhmaeError", "InputError"),
}
"""Names of ``vhmae.__all__`` in the order in which they are shown."""


def recipe_page() -> str:
    """Every key of a recipe of training."""
    lines = [
        "# Keys of a recipe",
        "Made of the definitions that `vhmae train` reads; `vhmae train --keys` says the same. "
        "On the command line each is an option: `--train.seed 1`. "
        "[Train on your own clips](../train-your-own.md) shows a recipe at work.",
    ]
    rows: dict[str, list[str]] = {}
    for key in keys_of(Recipe):
        section, _, name = key.name.rpartition(".")
        default = f"`{key.default}`" if key.default else "must be given"
        cells = [f"`{name}`", key.kind, default, _sentence(key.meaning)]
        row = "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
        rows.setdefault(section, []).append(row)
    for section, own in rows.items():
        table = "\n".join(["| key | value | default | meaning |", "|---|---|---|---|", *own])
        lines += [f"## {section or 'Recipe'}", '<div class="keys" markdown>', table, "</div>"]
    return "\n\n".join(lines) + "\n"


def recipes_page() -> str:
    """Every file of configs/, by its folder."""
    lines = [
        "# Recipes",
        "Each file of `configs/` begins with its command and what it is for.",
    ]
    folder = ROOT / "configs"
    for place in sorted({path.parent for path in folder.rglob("*.yaml")}):
        lines.append(f"## {place.relative_to(ROOT)}")
        for path in sorted(place.glob("*.yaml")):
            text = path.read_text()
            meaning = text.splitlines()[1].removeprefix("# ")
            block = "\n".join(
                f"    {line}".rstrip() for line in ["```yaml", *text.splitlines(), "```"]
            )
            lines.append(f'??? note "{path.stem}: {_quoted(meaning)}"\n\n{block}')
    return "\n\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return text.replace('"', "'")
