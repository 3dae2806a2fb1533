"""``vhmae train`` and ``vhmae weights``."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vhmae.cli.parser import Parser, add_command, add_report_options, write_report
from vhmae.config import keys_of
from vhmae.errors import InputError, counted


def add_train(commands: Any) -> None:
    parser = add_command(
        commands,
        "train",
        _train,
        "train a model by a recipe; any key of the recipe is an option: --train.seed 1",
    )
    parser.set_defaults(
        takes_overrides=True,
        overrides={},
        kept_when_stopped="the run's last checkpoint stays; --resume goes on from it",
    )
    parser.add_argument(
        "--config", type=Path, required=True, metavar="FILE", help="a recipe, see configs/"
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="RUN_DIR")
    parser.add_argument("--resume", action="store_true", help="go on from the run's checkpoint")
    parser.add_argument(
        "--from", dest="start_from", metavar="NAME|PATH", help="weights to start from"
    )
    parser.add_argument(
        "--head",
        metavar="module:Class|FILE.py:Class",
        help="a head of your own in the place of the recipe's (docs/train-your-own.md)",
    )
    parser.add_argument(
        "--loss",
        action="append",
        default=[],
        metavar="module:function[=WEIGHT]",
        help="add a term of your own to the loss, or give one that the recipe names",
    )
    parser.add_argument("--keys", action=_Keys, help="list every key of a recipe, and stop")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda[:N] or mps")
    add_report_options(parser)


class _Keys(argparse.Action):
    """Lists the keys of a recipe, as ``--help`` lists options."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str = "") -> None:
        super().__init__(option_strings, argparse.SUPPRESS, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from vhmae.training.recipe import Recipe

        print("\n".join(key.line() for key in keys_of(Recipe)))
        parser.exit()


def _train(args: Any) -> None:
    from vhmae.config import read_config, read_section

    if read_section(args.config, "comparator") is not None:
        _train_comparator(args)
        return
    from vhmae.training.loop import Trainer
    from vhmae.training.recipe import Recipe

    overrides = {**args.overrides, **({"model.head": args.head} if args.head else {})}
    recipe = read_config(Recipe, args.config, overrides)
    recipe, terms = _with_terms(recipe, args.loss)
    head = _outside_head(args.head)
    trainer = Trainer(recipe, args.output, args.device, args.start_from, head, terms)
    state = trainer.run(args.resume)
    _tell(
        args,
        {
            "steps": state.step,
            "trained_seconds": state.trained_seconds,
            "precision": state.precision,
        },
    )


def _outside_head(name: str | None) -> Any:
    """The class behind ``--head``; None where the package has it."""
    from vhmae.model.heads import HEADS, Head
    from vhmae.outside import load_outside

    if name is None or name in HEADS:
        return None
    found = load_outside(name, "head", "class")
    if not (isinstance(found, type) and issubclass(found, Head)):
        raise InputError("is no vhmae.model.heads.Head; derive it", field="head", value=name)
    return found


def _with_terms(recipe: Any, written: Sequence[str]) -> tuple[Any, dict[str, Any]]:
    """The recipe with the terms that ``--loss`` adds, and those functions by their names."""
    from vhmae.outside import load_outside
    from vhmae.training.recipe import LossTerm
    from vhmae.training.terms import TERMS

    loss, terms = recipe.train.loss, {}
    for text in written:
        name, equals, weight = text.partition("=")
        if name not in TERMS:
            terms[name] = load_outside(name, "loss", "function")
        named = {loss.reconstruction, *(one.term for one in loss.more)}
        if equals or name not in named:
            try:
                added = LossTerm(term=name, weight=float(weight) if equals else 1.0)
            except ValueError:
                raise InputError(
                    "its weight is no number; write module:function=0.1", field="loss", value=text
                ) from None
            others = tuple(one for one in loss.more if one.term != name)
            loss = dataclasses.replace(loss, more=(*others, added))
    train = dataclasses.replace(recipe.train, loss=loss)
    return dataclasses.replace(recipe, train=train), terms


def _train_comparator(args: Any) -> None:
    """A method of Table 1, by a recipe that names it."""
    from vhmae.comparators.recipe import ComparatorRecipe
    from vhmae.comparators.run import train_comparator
    from vhmae.config import read_config

    if args.start_from is not None:
        raise InputError(
            "--from: is for our own networks; a compared method takes a backbone in its recipe"
        )
    if args.head or args.loss:
        raise InputError("--head, --loss: are for our own networks; leave them out")
    recipe = read_config(ComparatorRecipe, args.config, args.overrides)
    state = train_comparator(recipe, args.output, args.device, args.resume)
    facts = {"steps": state.step, "trained_seconds": state.trained_seconds}
    _tell(args, {**facts, "precision": state.precision})


def _tell(args: Any, facts: dict[str, Any]) -> None:
    write_report({"schema": 1, **facts}, args.json)
    if not args.quiet:
        print(
            f"{args.output}: {counted(facts['steps'], 'step')} in "
            f"{facts['trained_seconds'] / 60:.1f} "
            f"minutes, {facts['precision']}"
        )


def add_weights(commands: Any) -> None:
    parser = add_command(
        commands, "weights", _weights, "list the packaged weights: size, data, licence, scores"
    )
    add_report_options(parser)
    steps = parser.add_subparsers(metavar="STEP", parser_class=Parser)
    export = add_command(
        steps,
        "export-onnx",
        _export_onnx,
        "write the ONNX graph of weights, by which ONNX Runtime runs all of their architecture",
    )
    export.add_argument(
        "weights",
        nargs="?",
        default="default",
        metavar="NAME|PATH|hf:owner/name",
        help="packaged weights, a .safetensors file, or one of the hub (default)",
    )
    export.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="where it goes; beside the weights, by their name, it is found (beside them)",
    )
    add_report_options(export)
    join = add_command(
        steps,
        "join",
        _join,
        "let the look paths of several trainings answer together, as one network",
    )
    join.add_argument(
        "weights",
        nargs="+",
        metavar="NAME|PATH|hf:owner/name",
        help="the first one's tokens are kept",
    )
    join.add_argument("-o", "--output", type=Path, required=True, metavar="FILE")
    join.add_argument(
        "--members",
        type=_counts,
        metavar="N,N",
        help="how many members of each, the first ones (all)",
    )
    join.add_argument(
        "--licence", metavar="TEXT", help="of what is written (those of the weights that go in)"
    )
    add_report_options(join)


def _counts(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: expected numbers as 5,4") from None


def _join(args: Any) -> None:
    from vhmae.model.files import read_card
    from vhmae.model.joining import join_look_paths, joined_facts
    from vhmae.model.weights import load_model, save_model

    cards = [read_card(weights) for weights in args.weights]
    networks = [load_model(weights) for weights in args.weights]
    joined = join_look_paths(networks, args.members)
    save_model(joined, args.output, joined_facts(cards, args.licence))
    members = joined.config.look.members if joined.config.look else 0
    write_report({"schema": 1, "weights": str(args.output), "members": members}, args.json)
    if not args.quiet:
        print(f"{args.output}: {members} members")


def _export_onnx(args: Any) -> None:
    from vhmae.model.export import export_onnx

    path, size = export_onnx(args.weights, args.output)
    write_report({"schema": 1, "graph": str(path), "bytes": size}, args.json)
    if not args.quiet:
        print(f"{path}: {size / 1000:.0f} kB")


def _weights(args: Any) -> None:
    from vhmae.model.files import packaged_weights, read_card

    cards = {name: read_card(str(path)) for name, path in packaged_weights().items()}
    listing: dict[str, dict[str, Any]] = {
        name: {"bytes": card.path.stat().st_size, **card.facts} for name, card in cards.items()
    }
    write_report({"schema": 1, "weights": listing}, args.json)
    for name, facts in listing.items():
        print(f"{name}: {facts['bytes'] / 2**20:.1f} MiB")
        for key, value in facts.items():
            if key != "bytes":
                print(f"  {key}: {value}")
