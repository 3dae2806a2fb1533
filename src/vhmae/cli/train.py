"""``vhmae train`` and ``vhmae weights``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vhmae.cli.parser import add_command, add_report_options, write_report
from vhmae.errors import InputError


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
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda[:N] or mps")
    add_report_options(parser)


def _train(args: Any) -> None:
    from vhmae.config import read_config, read_section

    if read_section(args.config, "comparator") is not None:
        _train_comparator(args)
        return
    from vhmae.training.loop import Trainer
    from vhmae.training.recipe import Recipe

    recipe = read_config(Recipe, args.config, args.overrides)
    state = Trainer(recipe, args.output, args.device, args.start_from).run(args.resume)
    _tell(
        args,
        {
            "steps": state.step,
            "trained_seconds": state.trained_seconds,
            "precision": state.precision,
        },
    )


def _train_comparator(args: Any) -> None:
    """A method of Table 1, by a recipe that names it."""
    from vhmae.comparators.recipe import ComparatorRecipe
    from vhmae.comparators.run import train_comparator
    from vhmae.config import read_config

    if args.start_from is not None:
        raise InputError(
            "--from: is for our own networks; a compared method takes a backbone in its recipe"
        )
    recipe = read_config(ComparatorRecipe, args.config, args.overrides)
    state = train_comparator(recipe, args.output, args.device, args.resume)
    _tell(
        args, {"steps": state.step, "trained_seconds": state.trained_seconds, "precision": "fp32"}
    )


def _tell(args: Any, facts: dict[str, Any]) -> None:
    write_report({"schema": 1, **facts}, args.json)
    if not args.quiet:
        print(
            f"{args.output}: {facts['steps']} steps in {facts['trained_seconds'] / 60:.1f} "
            f"minutes, {facts['precision']}"
        )


def add_weights(commands: Any) -> None:
    parser = add_command(
        commands, "weights", _weights, "list the packaged weights: size, data, licence, scores"
    )
    add_report_options(parser)


def _weights(args: Any) -> None:
    from vhmae.model.weights import packaged_weights, read_card

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
