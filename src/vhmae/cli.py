"""The command line: thin, and quick to answer, since everything heavy is imported by the command that needs it."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import re
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from vhmae import __version__
from vhmae.errors import InputError, VhmaeError, did_you_mean

LONGEST_ERROR = 400


class Parser(argparse.ArgumentParser):
    """argparse, with our one-line errors instead of a usage block."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "allow_abbrev": False})

    def options(self) -> list[str]:
        return [option for action in self._actions for option in action.option_strings]

    def error(self, message: str) -> NoReturn:
        required = re.match(r"the following arguments are required: (.+)", message)
        choice = re.match(r"argument (\S+?)(?:/\S+)?: invalid choice: '?(.*?)'? \(choose from (.+)\)", message)
        value = re.match(r"argument (\S+?)(?:/\S+)?: (.+)", message)
        if required:
            raise InputError(f"{required[1]}: missing; see {self.prog} --help")
        if choice:
            known = [word.strip(" '") for word in choice[3].split(",")]
            raise InputError(f"{choice[1]} {choice[2]}: unknown{did_you_mean(choice[2], known)}; expected one of {', '.join(known)}")
        if value:
            raise InputError(f"{value[1]}: {value[2]}; see {self.prog} --help")
        raise InputError(f"{message}; see {self.prog} --help")

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        parsed, rest = self.parse_known_args(args, namespace)
        if rest and getattr(parsed, "takes_overrides", False):
            parsed.overrides = read_overrides(rest)
        elif rest:
            command = getattr(parsed, "parser", self)
            raise InputError(f"{rest[0]}: unknown option{did_you_mean(rest[0], command.options())}; see {command.prog} --help")
        return parsed


def read_overrides(words: Sequence[str]) -> dict[str, str]:
    """``--section.key value`` or ``--section.key=value`` -> {"section.key": "value"}."""
    overrides: dict[str, str] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        key, equals, value = word.removeprefix("--").partition("=")
        if not word.startswith("--") or "." not in key:
            known = ["--config", "--resume", "--from", "-o", "--device"]
            raise InputError(f"{word}: unknown option{did_you_mean(word, known)}; a recipe's keys are set by --section.key value")
        if not equals:
            if not rest:
                raise InputError(f"{word}: has no value; write {word} VALUE")
            value = rest.pop(0)
        overrides[key] = value
    return overrides


def build_parser() -> Parser:
    parser = Parser(prog="vhmae", description="Make a composite video look as if it had been shot at once.")
    parser.add_argument("--version", action="version", version=f"vhmae {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)
    for add in (_add_harmonize, _add_demo, _add_evaluate, _add_compare, _add_synthesize, _add_train, _add_weights, _add_fit_constant):
        add(commands)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code: 0 done, 2 what the user can mend, 1 failure during the work, 130 Ctrl-C."""
    signal.signal(signal.SIGTERM, _interrupt)
    verbose = False
    try:
        args = build_parser().parse_args(arguments)
        verbose = args.verbose
        _check_report(args)
        args.run(args)
        return 0
    except VhmaeError as error:
        _print_error(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        _print_error("stopped: interrupted; nothing half-written was left")
        return 130
    except BrokenPipeError:
        return 1
    except MemoryError:
        _print_error("out of memory: the work did not fit; close other programs or use a smaller size")
        return 1
    except OSError as error:
        _print_error(f"{error.filename or 'system'}: {error.strerror or error}; check the disk and the permissions")
        return 1
    except Exception as error:
        if verbose:
            raise
        _print_error(f"internal error: {type(error).__name__}: {error}; this is a fault of vhmae: run again with -v and report it")
        return 1


def _interrupt(signum: int, frame: object) -> None:
    raise KeyboardInterrupt


def _print_error(message: str) -> None:
    line = " ".join(message.split())
    print(f"vhmae: error: {line[: LONGEST_ERROR - 20]}", file=sys.stderr)


def _check_report(args: Any) -> None:
    """Refuse a report that cannot be written, or would take another file's place, before the work and not after it."""
    path: Path | None = args.json
    if path is None:
        return
    if path.is_dir() or not path.parent.is_dir():
        raise InputError(f"--json {path}: is a folder or lies in none; give a file in a folder that exists")
    if not os.access(path.parent, os.W_OK):
        raise InputError(f"--json {path}: the folder {path.parent} cannot be written; choose another")
    for name, other in vars(args).items():
        if name != "json" and isinstance(other, Path) and other.resolve() == path.resolve():
            raise InputError(f"--json {path}: is a file of the work itself; choose another name for the report")


def _write_report(report: dict[str, Any], path: Path | None) -> None:
    if path is not None:
        part = path.with_name(f".{path.name}.part")
        part.write_text(json.dumps(report, indent=1, allow_nan=False) + "\n", encoding="utf-8")
        part.replace(path)


def _command(commands: Any, name: str, run: Callable[[Any], None], text: str) -> Parser:
    parser: Parser = commands.add_parser(name, help=text, description=text)
    parser.set_defaults(run=run, parser=parser, takes_overrides=False)
    return parser


def _natural(text: str) -> int:
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"'{text}' is not a number from 0 up")
    return int(text)


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number from 1 up")
    return int(text)


def _add_device_options(parser: Parser) -> None:
    group = parser.add_argument_group("where the model runs")
    group.add_argument(
        "--weights", default="default", metavar="NAME|PATH|hf:owner/name", help="packaged name, .safetensors file, or a hub name"
    )
    group.add_argument("--device", default="auto", help="auto, cpu, cuda[:N] or mps")
    group.add_argument("--precision", default="auto", choices=["auto", "fp32", "bf16", "fp16"])
    group.add_argument("--threads", type=_positive, metavar="N", help="CPU threads (all)")


def _add_report_options(parser: Parser) -> None:
    group = parser.add_argument_group("what is reported")
    group.add_argument("--json", type=Path, metavar="FILE", help="write the report")
    group.add_argument("-q", "--quiet", action="store_true", help="print errors only")
    group.add_argument("-v", "--verbose", action="store_true", help="print more")


# --- harmonize


def _add_harmonize(commands: Any) -> None:
    parser = _command(commands, "harmonize", _harmonize, "harmonize the foreground of a composite video")
    parser.add_argument("composite", type=Path, metavar="COMPOSITE", help="video file")
    parser.add_argument(
        "--mask", type=Path, required=True, help="video, picture, folder, sequence or .npz; white = foreground, grey = soft"
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT", help="video file to write")
    parser.add_argument("--quality", default="balanced", choices=["fast", "balanced", "best"], help="how often the network looks")
    parser.add_argument("--strength", type=float, default=1.0, metavar="0..1", help="how far to go (1)")
    parser.add_argument(
        "--caution", type=float, default=6.0, metavar="LEVELS", help="0 is bold; small changes are left undone below this (6)"
    )
    parser.add_argument("--start", type=float, default=0.0, metavar="SECONDS")
    parser.add_argument("--end", type=float, metavar="SECONDS")
    parser.add_argument("--cuts", type=Path, metavar="FILE", help="numbers of the frames that begin a shot, one a line")
    parser.add_argument("--no-cut-detection", action="store_true", help="take the video as one shot")
    parser.add_argument("--codec", metavar="NAME", help="output codec (the input's family)")
    parser.add_argument("--crf", type=int, metavar="N", help="quality of x264, x265, VP9 and AV1 (16)")
    parser.add_argument("--preset", metavar="NAME", help="speed preset of the encoder")
    parser.add_argument("--pix-fmt", metavar="NAME", help="output pixel format (the input's)")
    parser.add_argument("--colorspace", choices=["bt601", "bt709", "bt2020"], help="overrules the input's colour matrix")
    parser.add_argument("--hold-last-mask", action="store_true", help="let a mask that is too short stand still at its end")
    parser.add_argument("--strict", action="store_true", help="treat warnings as errors")
    parser.add_argument("--no-verify", action="store_true", help="do not read the written file again")
    _add_device_options(parser)
    _add_report_options(parser)


def _harmonize(args: Any) -> None:
    from vhmae.pipeline import HarmonizeJob, harmonize_job

    job = HarmonizeJob(
        composite=args.composite,
        mask=args.mask,
        output=args.output,
        quality=args.quality,
        strength=args.strength,
        caution=args.caution,
        start=args.start,
        end=args.end,
        cuts=args.cuts,
        cut_detection=not args.no_cut_detection,
        codec=args.codec,
        crf=args.crf,
        preset=args.preset,
        pix_fmt=args.pix_fmt,
        colorspace=args.colorspace,
        hold_last_mask=args.hold_last_mask,
        strict=args.strict,
        verify=not args.no_verify,
        weights=args.weights,
        device=args.device,
        precision=args.precision,
        threads=args.threads,
        progress=sys.stderr.isatty() and not args.quiet,
    )
    report = harmonize_job(job)
    _write_report(report, args.json)
    if not args.quiet:
        for warning in report["warnings"]:
            print(f"vhmae: warning: {warning}", file=sys.stderr)
        print(f"{args.output}: {report['frames']} frames in {report['seconds']:.1f} s ({report['fps']:.1f} fps), "
              f"mean change {report['mean_change']:.1f} levels, {report['device']} {report['precision']}")  # fmt: skip


# --- demo


def _add_demo(commands: Any) -> None:
    parser = _command(commands, "demo", _demo, "build a composite of photographs, harmonize it and show before and after")
    parser.add_argument("-o", "--output", type=Path, default=Path("demo"), metavar="DIR")
    _add_device_options(parser)
    _add_report_options(parser)


def _demo(args: Any) -> None:
    from vhmae.demo import run_demo

    report = run_demo(args.output, weights=args.weights, device=args.device, precision=args.precision, threads=args.threads)
    _write_report(report, args.json)
    if not args.quiet:
        for line in report["lines"]:
            print(line)


# --- data and evaluation


def _range(text: str) -> tuple[float, float]:
    low, colon, high = text.partition(":")
    try:
        return float(low), float(high if colon else low)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not LOW:HIGH") from None


def _names(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _add_synthesize(commands: Any) -> None:
    parser = _command(commands, "synthesize", _synthesize, "make an evaluation set of composites from videos with masks")
    parser.add_argument("--config", type=Path, metavar="FILE", help="a set by its recipe, see configs/benchmarks/; options overrule it")
    parser.add_argument("--data", type=Path, metavar="DIR", help="where the recipe's paths begin (VHMAE_DATA)")
    parser.add_argument("--videos", type=Path, metavar="DIR", help="NAME.mp4 beside NAME.mask.npz")
    parser.add_argument("--luts", type=Path, metavar="FILE", help=".npz bank or a folder of .cube files")
    parser.add_argument("--lut-split", choices=["train", "heldout", "all"], help="(heldout)")
    parser.add_argument("--looks", choices=["one", "two"], help="(two)")
    parser.add_argument("--shifts", type=_names, metavar="lut,parametric,lighting,hue", help="(lut,parametric)")
    parser.add_argument("--per-video", type=int, metavar="N", help="composites a video (2)")
    parser.add_argument("--strength", type=_range, metavar="LOW:HIGH", help="share of the way from the identity (one look 1, two 0.3:1)")
    parser.add_argument("--clean-edge", type=_natural, metavar="N", help="pixels of a 288-line frame (one look 0, two 4)")
    parser.add_argument("--foreground-ratio", type=_range, metavar="LOW:HIGH", help="clips with another share are left out (0:1)")
    parser.add_argument("--crop", type=_range, metavar="LOW:HIGH", help="crop around the subject where it has such a share (whole frames)")
    parser.add_argument("--frames", type=int, metavar="N", help="frames a video (20)")
    parser.add_argument("--seed", type=_natural, metavar="N", help="(0)")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    _add_report_options(parser)


def _synthesize(args: Any) -> None:
    from vhmae.config import read_config
    from vhmae.data.synthesize import SynthesisRecipe, synthesize

    names = [field.name for field in dataclasses.fields(SynthesisRecipe)]
    given = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    if args.config is not None:
        recipe = read_config(SynthesisRecipe, args.config).below(args.data or os.environ.get("VHMAE_DATA"))
        recipe = dataclasses.replace(recipe, **given)
    elif "videos" in given:
        recipe = SynthesisRecipe(**given)
    else:
        raise InputError("--videos: missing; name a folder of clips, or a recipe by --config")
    count = synthesize(recipe, args.output)
    _write_report({"schema": 1, "composites": count, "output": str(args.output)}, args.json)
    if not args.quiet:
        print(f"{args.output}: {count} composites")


def _add_evaluate(commands: Any) -> None:
    parser = _command(commands, "evaluate", _evaluate, "score a method on a data set in the HYouTube layout")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR")
    methods = "composite, constant, reinhard, histogram, mkl, vhmae, oracle-affine, oracle-quadratic or folder:PATH"
    parser.add_argument("--method", default="vhmae", metavar="NAME|folder:PATH", help=methods)
    parser.add_argument("--mix", type=float, default=1.0, metavar="0..1", help="how far reinhard, histogram and mkl go (1)")
    protocols = ["clean", "co2net", "vtt", "hinet"]
    parser.add_argument("--protocol", default="clean", choices=protocols, help="how results become numbers: docs/conventions.md (clean)")
    parser.add_argument("--metrics", type=_names, default=("fmse", "mse", "psnr", "fssim"), metavar="fmse,mse,psnr,fssim,temporal")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="keep decoded pictures here: the next evaluation is faster")
    parser.add_argument("--size", type=_positive, metavar="N", help="resize pictures to N x N first (as they are)")
    parser.add_argument("--swap-background", action="store_true", help="put another video's background behind each foreground")
    parser.add_argument("--list", type=Path, metavar="FILE", help="three folders a line (test_list.txt)")
    parser.add_argument("--natural", type=Path, metavar="DIR", help="clips with masks, untouched: how far the method moves them")
    parser.add_argument("--quality", default="balanced", choices=["fast", "balanced", "best"])
    parser.add_argument("--caution", type=float, default=6.0, metavar="LEVELS", help="as for harmonize (6)")
    _add_device_options(parser)
    _add_report_options(parser)


def _evaluate(args: Any) -> None:
    from vhmae.data.clips import list_clips
    from vhmae.evaluation.methods import find_method
    from vhmae.evaluation.protocols import find_protocol
    from vhmae.evaluation.runner import evaluate, natural_drift
    from vhmae.evaluation.tables import format_report

    if args.natural is not None:
        list_clips(args.natural)
    method = find_method(
        args.method, args.data, args.weights, args.device, args.precision, args.threads, args.quality, args.caution, args.mix
    )
    progress = sys.stderr.isatty() and not args.quiet
    report = evaluate(
        args.data, method, args.metrics, args.list, args.swap_background, progress, find_protocol(args.protocol), args.cache, args.size
    )
    if args.natural is not None:
        report["natural_drift"] = natural_drift(args.natural, method)
    _write_report(report, args.json)
    if not args.quiet:
        print(format_report(report))


def _add_compare(commands: Any) -> None:
    parser = _command(commands, "compare", _compare, "show methods side by side: two frames, an enlarged part, a map of errors")
    parser.add_argument("composite", type=Path, nargs="?", metavar="COMPOSITE", help="a clip of your own")
    parser.add_argument("--mask", type=Path, help="its mask")
    parser.add_argument("--target", type=Path, metavar="VIDEO", help="what it should look like, where that is known")
    parser.add_argument("--data", type=Path, metavar="DIR", help="instead of a clip: a set in the HYouTube layout")
    parser.add_argument("--name", metavar="VIDEO/object_k", help="which composite of the set (the first)")
    parser.add_argument(
        "--method",
        action="append",
        metavar="NAME|LABEL=VIDEO",
        help="a method as in evaluate, or a finished result; may be repeated (vhmae)",
    )
    parser.add_argument("--frame", type=_natural, metavar="N", help="which frame, from 0 (the middle)")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="SHEET.png")
    _add_device_options(parser)
    _add_report_options(parser)


def _compare(args: Any) -> None:
    from vhmae.evaluation.compare import Comparison, compare

    rows = compare(
        Comparison(
            output=args.output, methods=args.method or ["vhmae"], composite=args.composite, mask=args.mask, target=args.target,
            data=args.data, name=args.name, frame=args.frame, weights=args.weights, device=args.device,
        )
    )  # fmt: skip
    _write_report({"schema": 1, "rows": rows, "output": str(args.output)}, args.json)
    if not args.quiet:
        print(f"{args.output}: {rows} rows")


def _add_fit_constant(commands: Any) -> None:
    parser = _command(commands, "fit-constant", _fit_constant, "fit the colour map that never looks at the background")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="a set of training composites")
    parser.add_argument("--looks", required=True, choices=["one", "two"], help="the mode that the set was made in")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="JSON file; other modes in it are kept")
    _add_report_options(parser)


def _fit_constant(args: Any) -> None:
    from vhmae.evaluation.methods import fit_constant

    used = fit_constant(args.data, args.looks, args.output)
    if not args.quiet:
        print(f"{args.output}: fitted '{args.looks}' on {used} composites")


# --- training and weights


def _add_train(commands: Any) -> None:
    parser = _command(commands, "train", _train, "train a model by a recipe; any key of the recipe is an option: --train.seed 1")
    parser.set_defaults(takes_overrides=True, overrides={})
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="a recipe, see configs/")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="RUN_DIR")
    parser.add_argument("--resume", action="store_true", help="go on from the run's checkpoint")
    parser.add_argument("--from", dest="start_from", metavar="NAME|PATH", help="weights to start from")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda[:N] or mps")
    _add_report_options(parser)


def _train(args: Any) -> None:
    from vhmae.config import read_config
    from vhmae.training.loop import Trainer
    from vhmae.training.recipe import Recipe

    recipe = read_config(Recipe, args.config, args.overrides)
    state = Trainer(recipe, args.output, args.device, args.start_from).run(args.resume)
    _write_report({"schema": 1, "steps": state.step, "trained_seconds": state.trained_seconds, "precision": state.precision}, args.json)
    if not args.quiet:
        print(f"{args.output}: {state.step} steps in {state.trained_seconds / 60:.1f} minutes, {state.precision}")


def _add_weights(commands: Any) -> None:
    parser = _command(commands, "weights", _weights, "list the packaged weights: size, data, licence, scores")
    _add_report_options(parser)


def _weights(args: Any) -> None:
    from vhmae.model.weights import packaged_weights, read_card

    cards = {name: read_card(str(path)) for name, path in packaged_weights().items()}
    listing: dict[str, dict[str, Any]] = {name: {"bytes": card.path.stat().st_size, **card.facts} for name, card in cards.items()}
    _write_report({"schema": 1, "weights": listing}, args.json)
    for name, facts in listing.items():
        print(f"{name}: {facts['bytes'] / 2**20:.1f} MiB")
        for key, value in facts.items():
            if key != "bytes":
                print(f"  {key}: {value}")
