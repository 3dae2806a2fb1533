"""``vhmae train`` and ``vhmae weights``."""

from __future__ import annotations

import argparse
import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from vhmae.cli.options import add_options, add_report_options, given_options
from vhmae.cli.parser import Parser, add_command, write_report
from vhmae.cli.words import print_warnings
from vhmae.config import keys_of
from vhmae.errors import InputError, counted
from vhmae.model.job import GraphJob, JoinJob
from vhmae.options import build_options
from vhmae.training.job import TrainJob


def add_train(commands: Any) -> None:
    parser = add_command(
        commands,
        "train",
        _train,
        "train a model by a recipe; any key of the recipe is an option: --train.seed 1",
    )
    parser.set_defaults(
        overrides={},
        keys_without_section=("backbone",),
        kept_when_stopped="the run's last checkpoint stays; --resume goes on from it",
    )
    add_options(parser, TrainJob, required=True)
    parser.add_argument("--keys", action=_Keys, help="list every key of a recipe, and stop")
    add_report_options(parser)


class _Keys(argparse.Action):
    """Lists the keys of a recipe, as ``--help`` lists options."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str = "") -> None:
        super().__init__(option_strings, argparse.SUPPRESS, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from vhmae.comparators.recipe import ComparatorRecipe
        from vhmae.training.recipe import Recipe

        ours = [key.line() for key in keys_of(Recipe)]
        compared = [
            key.line()
            for key in keys_of(ComparatorRecipe)
            if key.name.startswith("train.") or key.line() not in ours
        ]
        heading = (
            "Recipes of compared methods (configs/comparators) have data, scenes and looks as "
            "above, and:"
        )
        first = (
            "extends: another recipe beside this one, taken as it is but for this one's own keys"
        )
        print("\n".join([first, *ours, "", heading, "", *compared]))
        parser.exit()


def _train(args: Any) -> None:
    from vhmae.config import read_config, read_section

    job = build_options(TrainJob, given_options(args, TrainJob))
    if read_section(job.config, "comparator") is not None:
        _train_comparator(args, job)
        return
    from vhmae.training.loop import Trainer
    from vhmae.training.recipe import Recipe

    overrides = {**args.overrides, **({"model.head": job.head} if job.head else {})}
    recipe = read_config(Recipe, job.config, overrides)
    recipe, terms = _with_terms(recipe, job.loss)
    head = _outside_head(job.head)
    trainer = Trainer(recipe, job.output, job.device, job.start_from, head, terms)
    state = trainer.run(job.resume)
    _tell(
        args,
        job,
        {
            "steps": state.step,
            "trained_seconds": state.trained_seconds,
            "precision": state.precision,
            "warnings": trainer.warnings,
        },
    )


def _outside_head(name: str | None) -> Any:
    """The class behind ``--head``; None where the package has it."""
    from vhmae.model.heads import HEADS, Head, require_complete
    from vhmae.outside import load_outside

    if name is None or name in HEADS:
        return None
    found = load_outside(name, "head", "class")
    if not (isinstance(found, type) and issubclass(found, Head)):
        raise InputError("is no vhmae.model.heads.Head; derive it", field="head", value=name)
    require_complete(found)
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
                if not math.isfinite(added.weight):
                    raise ValueError
            except ValueError:
                raise InputError(
                    "its weight is no number; write module:function=0.1", field="loss", value=text
                ) from None
            others = tuple(one for one in loss.more if one.term != name)
            loss = dataclasses.replace(loss, more=(*others, added))
    train = dataclasses.replace(recipe.train, loss=loss)
    return dataclasses.replace(recipe, train=train), terms


def _train_comparator(args: Any, job: TrainJob) -> None:
    """A method of Table 1, by a recipe that names it."""
    from vhmae.comparators.recipe import ComparatorRecipe
    from vhmae.comparators.run import train_comparator
    from vhmae.config import read_config

    if job.start_from is not None:
        raise InputError(
            "--from: is for our own networks; a compared method takes a backbone in its recipe"
        )
    if job.head or job.loss:
        raise InputError("--head, --loss: are for our own networks; leave them out")
    recipe = read_config(ComparatorRecipe, job.config, args.overrides)
    state = train_comparator(recipe, job.output, job.device, job.resume)
    facts = {"steps": state.step, "trained_seconds": state.trained_seconds}
    _tell(args, job, {**facts, "precision": state.precision})


def _tell(args: Any, job: TrainJob, facts: dict[str, Any]) -> None:
    write_report({"schema": 1, **facts}, args.json)
    if not args.quiet:
        print(
            f"{job.output}: {counted(facts['steps'], 'step')} in "
            f"{facts['trained_seconds'] / 60:.1f} "
            f"minutes, {facts['precision']}"
        )
    print_warnings(facts.get("warnings", []), args.quiet)


def add_weights(commands: Any) -> None:
    parser = add_command(
        commands,
        "weights",
        _weights,
        "list the packaged weights: size, data, licence, steps",
    )
    add_report_options(parser)
    steps = parser.add_subparsers(metavar="STEP", parser_class=Parser)
    export = add_command(
        steps,
        "export-onnx",
        _export_onnx,
        "write the ONNX graph of weights, by which ONNX Runtime runs all of their architecture",
    )
    add_options(export, GraphJob)
    add_report_options(export)
    join = add_command(
        steps,
        "join",
        _join,
        "let the look paths of several trainings answer together, as one network",
    )
    add_options(join, JoinJob, required=True)
    add_report_options(join)


def _join(args: Any) -> None:
    job = build_options(JoinJob, given_options(args, JoinJob))
    from vhmae.model.files import find_card
    from vhmae.model.joining import join_look_paths, joined_facts
    from vhmae.model.weights import load_model, save_model

    cards = [find_card(weights) for weights in job.weights]
    if job.output.exists() and any(job.output.samefile(card.path) for card in cards):
        raise InputError(f"-o {job.output}: is one of the inputs; choose another name")
    networks = [load_model(weights) for weights in job.weights]
    joined = join_look_paths(networks, job.members)
    save_model(joined, job.output, joined_facts(cards, job.licence))
    members = joined.config.look.members if joined.config.look else 0
    write_report({"schema": 1, "weights": str(job.output), "members": members}, args.json)
    if not args.quiet:
        print(f"{job.output}: {members} members")


def _export_onnx(args: Any) -> None:
    job = build_options(GraphJob, given_options(args, GraphJob))
    from vhmae.model.export import export_onnx

    path, size = export_onnx(job.weights, job.output)
    write_report({"schema": 1, "graph": str(path), "bytes": size}, args.json)
    if not args.quiet:
        print(f"{path}: {size / 1000:.0f} kB")


def _weights(args: Any) -> None:
    from vhmae.model.files import only_of, packaged_scores, packaged_weights, read_card

    cards = {name: read_card(str(path)) for name, path in packaged_weights().items()}
    scores = packaged_scores()
    listing: dict[str, dict[str, Any]] = {
        name: {
            "bytes": card.path.stat().st_size,
            **card.facts,
            **only_of(card),
            "scores": scores.get(name, {}),
        }
        for name, card in cards.items()
    }
    write_report({"schema": 1, "weights": listing}, args.json)
    for name, facts in listing.items():
        print(f"{name}: {facts['bytes'] / 2**20:.1f} MiB")
        for key, value in facts.items():
            if key not in ("bytes", "scores"):
                print(f"  {key}: {value}")
        print("  scores (fMSE over that of the untouched composite, 95 %, share made worse):")
        for data, score in facts["scores"].items():
            few = "  (an indication: under 8 views)" if score.get("leading") else ""
            if leading := score.get("leading"):
                limit = f"{leading['below_fmse']:,g}"
                print(f"    {data}, leading, under {limit} fMSE: {_told_score(leading)}{few}")
            print(f"    {data}: {_told_score(score)}{few}")


def _told_score(score: Mapping[str, Any]) -> str:
    low, high = score["ci95"]
    return f"{score['ratio']:.3f} [{low:.2f}, {high:.2f}], {score['worse_share']:.0%}"
