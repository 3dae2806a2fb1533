"""``vhmae synthesize``, ``evaluate``, ``compare`` and ``fit-constant``."""

from __future__ import annotations

import dataclasses
import itertools
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vhmae.cli.parser import (
    METHOD_FORMS,
    add_command,
    add_device_options,
    add_report_options,
    names,
    natural,
    positive,
    value_range,
    write_report,
)
from vhmae.errors import InputError, counted


def add_synthesize(commands: Any) -> None:
    parser = add_command(
        commands,
        "synthesize",
        _synthesize,
        "make an evaluation set of composites from videos with masks",
    )
    parser.set_defaults(
        kept_when_stopped="what was made so far stays, without its list; delete the folder"
    )
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="a set by its recipe, see configs/benchmarks/; options overrule it",
    )
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="where the recipe's paths begin (VHMAE_DATA)"
    )
    parser.add_argument("--videos", type=Path, metavar="DIR", help="NAME.mp4 beside NAME.mask.npz")
    parser.add_argument(
        "--luts", type=Path, metavar="FILE", help=".npz bank or a folder of .cube files"
    )
    parser.add_argument("--lut-split", choices=["train", "heldout", "all"], help="(heldout)")
    parser.add_argument("--looks", choices=["one", "two"], help="(two)")
    shifts = (
        "lut, parametric, camera, photo, enhanced_lut, ...; on the foreground alone lighting, hue, "
        "haze, noise (lut,parametric)"
    )
    parser.add_argument("--shifts", type=names, metavar="lut,parametric,...", help=shifts)
    parser.add_argument(
        "--cameras",
        type=Path,
        metavar="FILE",
        help=".npz bank of camera renderings, for --shifts camera",
    )
    parser.add_argument("--camera-split", choices=["train", "dev", "val", "all"], help="(val)")
    parser.add_argument(
        "--stills",
        type=Path,
        metavar="DIR",
        help="NAME.jpg beside NAME.png (labels): clips of one frame",
    )
    parser.add_argument(
        "--skin",
        action="store_true",
        default=None,
        help="keep where skin is, whose error is then scored apart",
    )
    parser.add_argument("--per-video", type=int, metavar="N", help="composites a video (2)")
    parser.add_argument(
        "--strength",
        type=value_range,
        metavar="LOW:HIGH",
        help="share of the way from the identity (one look 1, two 0.3:1)",
    )
    parser.add_argument(
        "--clean-edge",
        type=natural,
        metavar="N",
        help="pixels of a 288-line frame (one look 0, two 4)",
    )
    parser.add_argument(
        "--foreground-ratio",
        type=value_range,
        metavar="LOW:HIGH",
        help="clips with another share are left out (0:1)",
    )
    parser.add_argument(
        "--crop",
        type=value_range,
        metavar="LOW:HIGH",
        help="crop around the subject where it has such a share (whole frames)",
    )
    parser.add_argument(
        "--clips",
        type=Path,
        metavar="FILE",
        help="names of the clips that are taken, one a line (all)",
    )
    parser.add_argument("--frames", type=int, metavar="N", help="frames a video (20)")
    parser.add_argument("--seed", type=natural, metavar="N", help="(0)")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    add_report_options(parser)


def _synthesize(args: Any) -> None:
    from vhmae.config import read_config
    from vhmae.data.evaluation_sets import SynthesisRecipe, synthesize

    keys = [field.name for field in dataclasses.fields(SynthesisRecipe)]
    given = {name: getattr(args, name) for name in keys if getattr(args, name) is not None}
    if args.config is not None:
        recipe = read_config(SynthesisRecipe, args.config).below(
            args.data or os.environ.get("VHMAE_DATA")
        )
        recipe = dataclasses.replace(recipe, **given)
    elif "videos" in given:
        recipe = SynthesisRecipe(**given)
    else:
        raise InputError("--videos: missing; name a folder of clips, or a recipe by --config")
    count = synthesize(recipe, args.output)
    write_report({"schema": 1, "composites": count, "output": str(args.output)}, args.json)
    if not args.quiet:
        print(f"{args.output}: {count} composites")


def add_evaluate(commands: Any) -> None:
    parser = add_command(
        commands, "evaluate", _evaluate, "score a method on a data set in the HYouTube layout"
    )
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="the set")
    methods = (
        "composite, constant, reinhard, histogram, mkl, vhmae, vhmae-look (its look path alone), "
        "oracle-affine, oracle-quadratic"
    )
    parser.add_argument(
        "--method",
        action="append",
        metavar=METHOD_FORMS,
        help=f"NAME is one of {methods}; repeatable (vhmae)",
    )
    parser.add_argument(
        "--mix",
        type=float,
        default=1.0,
        metavar="0..1",
        help="how far reinhard, histogram and mkl go (1)",
    )
    protocols = ["clean", "co2net", "vtt", "hinet"]
    parser.add_argument(
        "--protocol",
        default="clean",
        choices=protocols,
        help="how results become numbers: docs/conventions.md (clean)",
    )
    parser.add_argument(
        "--metrics",
        type=names,
        default=("fmse", "mse", "psnr", "fssim"),
        metavar="fmse,mse,psnr,fssim,temporal",
        help="what is measured (all but temporal)",
    )
    parser.add_argument(
        "--cache",
        type=Path,
        metavar="DIR",
        help="keep decoded pictures here: the next evaluation is faster",
    )
    parser.add_argument(
        "--size",
        type=positive,
        metavar="N",
        help="resize pictures to N x N first, masks stay soft (as they are)",
    )
    parser.add_argument(
        "--write",
        type=Path,
        metavar="DIR",
        help="leave the frames in a new folder, as folder: and study create read them",
    )
    parser.add_argument(
        "--swap-background",
        action="store_true",
        help="put another video's background behind each foreground",
    )
    parser.add_argument(
        "--list", type=Path, metavar="FILE", help="three folders a line (test_list.txt)"
    )
    parser.add_argument(
        "--natural",
        type=Path,
        metavar="DIR",
        help="clips with masks, untouched: how far the method moves them",
    )
    parser.add_argument(
        "--quality",
        default="balanced",
        choices=["fast", "balanced", "best"],
        help="of the network (balanced)",
    )
    parser.add_argument(
        "--caution", type=float, metavar="LEVELS", help="of the network (the weights' own)"
    )
    add_device_options(parser)
    add_report_options(parser)


def _evaluate(args: Any) -> None:
    from vhmae.data.clips import list_clips
    from vhmae.evaluation.methods import find_method
    from vhmae.evaluation.pooling import paired_difference
    from vhmae.evaluation.protocols import find_protocol
    from vhmae.evaluation.runner import evaluate, natural_drift
    from vhmae.evaluation.tables import format_difference, format_report

    if args.swap_background and not {"fmse", "fssim"} & set(args.metrics):
        raise InputError(
            "--swap-background: has no target outside the foreground, for "
            f"{','.join(args.metrics)}; take --metrics fmse,fssim"
        )
    if args.natural is not None:
        list_clips(args.natural)
    where = (
        args.weights,
        args.device,
        args.precision,
        args.threads,
        args.quality,
        args.caution,
        args.mix,
    )
    methods = [find_method(text, args.data, *where) for text in args.method or ["vhmae"]]
    folders = _folders_to_write(args.write, [method.name for method in methods])
    progress = sys.stderr.isatty() and not args.quiet
    reports = []
    for method, folder in zip(methods, folders, strict=True):
        report = evaluate(
            args.data,
            method,
            args.metrics,
            list_file=args.list,
            swap_background=args.swap_background,
            progress=progress,
            protocol=find_protocol(args.protocol),
            cache=args.cache,
            size=args.size,
            write=folder,
        )
        if args.natural is not None:
            report["natural_drift"] = natural_drift(args.natural, method)
        if not args.quiet:
            print(format_report(report), flush=True)
        reports.append(report)
    if len(reports) == 1:
        write_report(reports[0], args.json)
        return
    metrics = [
        name
        for name in reports[0]["overall"]
        if all(report["overall"].get(name) for report in reports)
    ]
    pairs = itertools.combinations(reports, 2)
    paired = [paired_difference(first, second, name) for first, second in pairs for name in metrics]
    write_report({"schema": 1, "reports": reports, "paired": paired}, args.json)
    if not args.quiet:
        print("\n".join(format_difference(row) for row in paired))


def _folders_to_write(folder: Path | None, names: Sequence[str]) -> list[Path | None]:
    """Where the frames of each method go: into the folder itself, or of several into folders of
    their names."""
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"--method {twice}: is given twice; tell them apart by LABEL={twice}")
    if folder is None or len(names) == 1:
        return [folder] * len(names)
    bad = next((name for name in names if Path(name).name != name or name.startswith(".")), None)
    if bad is not None:
        raise InputError(
            f"--write {folder}: {bad} cannot be the name of a folder; give it one by LABEL={bad}"
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"--write {folder}: exists already; choose a new folder")
    if not folder.absolute().parent.is_dir():
        raise InputError(
            f"--write {folder}: the folder {folder.absolute().parent} does not exist; make it first"
        )
    folder.mkdir(exist_ok=True)
    return [folder / name for name in names]


def add_compare(commands: Any) -> None:
    parser = add_command(
        commands,
        "compare",
        _compare,
        "show methods side by side: two frames, an enlarged part, a map of errors",
    )
    parser.add_argument(
        "composite", type=Path, nargs="?", metavar="COMPOSITE", help="a clip of your own"
    )
    parser.add_argument("--mask", type=Path, help="its mask")
    parser.add_argument(
        "--target", type=Path, metavar="VIDEO", help="what it should look like, where that is known"
    )
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="instead of a clip: a set in the HYouTube layout"
    )
    parser.add_argument(
        "--name", metavar="VIDEO/object_k", help="which composite of the set (the first)"
    )
    parser.add_argument(
        "--method",
        action="append",
        metavar=METHOD_FORMS,
        help="a method as in evaluate, or LABEL=VIDEO for a finished result; repeatable (vhmae)",
    )
    parser.add_argument(
        "--frame", type=natural, metavar="N", help="which frame, from 0 (the middle)"
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="SHEET.png")
    add_device_options(parser)
    add_report_options(parser)


def _compare(args: Any) -> None:
    from vhmae.evaluation.compare import Comparison, compare

    rows = compare(
        Comparison(
            output=args.output,
            methods=args.method or ["vhmae"],
            composite=args.composite,
            mask=args.mask,
            target=args.target,
            data=args.data,
            name=args.name,
            frame=args.frame,
            weights=args.weights,
            device=args.device,
            precision=args.precision,
            threads=args.threads,
        )
    )
    write_report({"schema": 1, "rows": rows, "output": str(args.output)}, args.json)
    if not args.quiet:
        print(f"{args.output}: {counted(rows, 'row')}")


def add_fit_constant(commands: Any) -> None:
    parser = add_command(
        commands,
        "fit-constant",
        _fit_constant,
        "fit the colour map that never looks at the background",
    )
    parser.add_argument(
        "--data", type=Path, required=True, metavar="DIR", help="a set of training composites"
    )
    parser.add_argument(
        "--looks", required=True, choices=["one", "two"], help="the mode that the set was made in"
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="FILE",
        help="JSON file; other modes in it are kept",
    )
    add_report_options(parser)


def _fit_constant(args: Any) -> None:
    from vhmae.evaluation.constant import fit_constant

    used = fit_constant(args.data, args.looks, args.output)
    write_report({"schema": 1, "looks": args.looks, "composites": used}, args.json)
    if not args.quiet:
        print(f"{args.output}: fitted '{args.looks}' on {used} composites")
