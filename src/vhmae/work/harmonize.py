"""The way of a video: sources -> harmonizers (``analysis``) -> renderer -> writer, overlapped."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Unpack

from vhmae.engine.backends import network_for
from vhmae.engine.networks import WindowNetwork
from vhmae.errors import InputError, did_you_mean
from vhmae.guide.document import Guide
from vhmae.guide.options import GuideOptions
from vhmae.memory import check_memory, give_back
from vhmae.options import build_options, options_of, values_to_json
from vhmae.overlap import begin
from vhmae.progress import OnProgress, Progress
from vhmae.video.frame_writer import FrameWriter
from vhmae.video.segments import SegmentedWriter
from vhmae.work.analysis import Analysis, told_of_move
from vhmae.work.guiding import guided_report, hear_guide
from vhmae.work.job import HarmonizeJob, HarmonizeOptions, MaskMaker
from vhmae.work.masking import half_masked, masked_job
from vhmae.work.output import Output
from vhmae.work.reading import read_whole
from vhmae.work.renderer import Done, Renderer, waiting_bytes
from vhmae.work.report import Report, Tally, where_it_runs
from vhmae.work.resume import Standing, as_stopped, job_identity
from vhmae.work.shot_pixels import Needed
from vhmae.work.sources import Sources, check_composite, check_guide


def harmonize_video(
    composite: str | Path,
    output: str | Path,
    *,
    mask: str | Path | Sequence[str | Path] = (),
    on_progress: OnProgress | None = None,
    **options: Unpack[HarmonizeOptions],
) -> dict[str, Any]:
    """Harmonize a video file.

    Args:
        composite: the video whose foreground is to be harmonized.
        output: the file to write; appears whole or not at all.
        mask: white where the foreground is, grey where it is soft; a video, a picture, a folder, a
            sequence or .npz. Several masks are several objects; none takes the composite's own
            alpha.
        on_progress: called in this thread with the frames that are done and the frames that are
            kept of the video (None: not known); less than before means that another pass has begun.
            What it raises stops the work, and nothing half-written is left.
        options: other options of :class:`HarmonizeJob` (``quality``, ``strength``, ``weights``,
            ...), those of its parts too; ``guide`` may be a :class:`vhmae.Guide`.
    Returns:
        The report of docs/cli.md: frames, fps, seconds by stage, mean change, warnings.
    Raises:
        InputError: for what the caller can mend; names the file and the remedy.
    """
    masks = [mask] if isinstance(mask, str | Path) else mask
    keywords = HarmonizeOptions.__annotations__
    known = {one.name: one for one in options_of(HarmonizeJob) if one.name in keywords}
    given: dict[str, Any] = dict(options)
    guide = given.pop("guide") if isinstance(given.get("guide"), Guide) else None
    for name, value in given.items():
        if name not in known:
            close = did_you_mean(name, [*known, "mask", "on_progress"])
            told = f"unknown option{close}; see HarmonizeOptions"
            raise InputError(told, field=name, value=value)
        given[name] = known[name].from_python(value)
    files = {"composite": Path(composite), "masks": tuple(map(Path, masks)), "output": Path(output)}
    with contextlib.ExitStack() as until:
        if guide is not None:
            folder = until.enter_context(tempfile.TemporaryDirectory(prefix="vhmae-"))
            given["guide"] = Path(folder) / "guide.json"
            guide.write(given["guide"])
        job = build_options(HarmonizeJob, {**given, **files})
        report = harmonize_job(job, on_progress=on_progress)
    if guide is not None:  # its file is gone; the report holds all that it says
        del report["job"]["guide"]
    return report


def harmonize_job(
    job: HarmonizeJob,
    network: WindowNetwork | None = None,
    scene_leader: HarmonizeJob | None = None,
    on_progress: OnProgress | None = None,
) -> dict[str, Any]:
    """Run a job and return its report (docs/cli.md).

    Args:
        network: that of its weights, if it is open.
        scene_leader: the job whose frames its guide names, where that is another shot of the scene.
        on_progress: as :func:`harmonize_video` takes it.
    """
    job.words.read()  # what nobody can mean is refused before a mask is made
    if job.matte is not None:
        return _harmonize_matted(job, job.matte, network, scene_leader, on_progress)
    if scene_leader is not None and scene_leader.matte is not None:
        return _harmonize_as_matted(job, scene_leader, scene_leader.matte, network, on_progress)
    return _harmonize(job, network, scene_leader, on_progress)


def _harmonize_matted(
    job: HarmonizeJob,
    way: MaskMaker,
    network: WindowNetwork | None,
    scene_leader: HarmonizeJob | None,
    on_progress: OnProgress | None,
) -> dict[str, Any]:
    """Cut the foreground out first; the mask is gone afterwards."""
    Output(job, check_composite(job))  # what is wrong is told before a mask is made
    network = network or network_for(job)
    if job.check:
        with half_masked(job, way) as masked:
            report = harmonize_job(masked, network)
        more = f"the mask is made by {way} in the work; what depends on it was not checked"
    else:
        guide = job.words.read() if scene_leader is None else None
        with masked_job(job, way, job.output, guide) as masked:
            report = harmonize_job(masked, network, scene_leader, on_progress)
        more = (
            f"the mask was made by {way}: look at it (vhmae matte {job.composite} -o matte.mkv "
            f"--with {way})"
        )
    return {**report, "job": values_to_json(job), "warnings": [*report["warnings"], more]}


def _harmonize_as_matted(
    job: HarmonizeJob,
    scene_leader: HarmonizeJob,
    way: MaskMaker,
    network: WindowNetwork | None,
    on_progress: OnProgress | None,
) -> dict[str, Any]:
    """Harmonize by what was said of a shot whose mask the work makes: that shot is looked at again,
    and its mask is made anew."""
    unguided = dataclasses.replace(job, words=GuideOptions())
    if job.check:
        report = harmonize_job(unguided, network)
        more = f"`guide`: is said of {scene_leader.composite}, whose mask the work makes: not heard"
        return {**report, "job": values_to_json(job), "warnings": [*report["warnings"], more]}
    _opened(unguided, network, None)  # what is wrong is told before a mask is made
    place = job.output.with_name(f"{job.output.name}.scene")
    with masked_job(scene_leader, way, place, job.words.read()) as led:
        # A mask that is made anew each time is no file that a stopped run could find again.
        return harmonize_job(dataclasses.replace(job, resume=False), network, led, on_progress)


def _harmonize(
    job: HarmonizeJob,
    network: WindowNetwork | None,
    scene_leader: HarmonizeJob | None,
    on_progress: OnProgress | None,
) -> dict[str, Any]:
    """Harmonize what has its masks."""
    began = time.monotonic()
    if job.resume:
        job = as_stopped(job)
    analysis, output = _opened(job, network, scene_leader)
    sources, first = analysis.sources, analysis.harmonizers[0]
    older = output.older_pictures()
    if job.check:
        return _checked(analysis, output, began, scene_leader, on_progress)
    renderer = Renderer(analysis, output)
    tally = Tally()
    with output.open(job_identity(job, first, scene_leader) if job.resume else {}) as writer:
        if isinstance(writer, SegmentedWriter) and writer.saved is not None:
            renderer.resumed = Standing.of(*writer.saved)
            tally, sources.skipped_before = renderer.resumed.tally, renderer.resumed.skipped_before
            sources.overlapping = renderer.resumed.overlapping
        form = _told_of_form(job.output, writer.recoded, writer.left_out)
        begun, size = writer.frames, 0  # those of a stopped run
        pace = (job.progress, renderer.pace)
        more: dict[str, Any] = {"size": lambda: size, "told": on_progress, "begun": begun}
        with Progress("harmonize", sources.expected() or None, *pace, **more) as progress:
            analysis.survey(progress)
            heard = hear_guide(analysis, scene_leader=scene_leader)
            told = [] if heard is None else heard.warnings
            known = [*analysis.told_of_prior(), *sources.warnings]
            check_strict(job.strict, known + told + older + form)
            if heard is not None and heard.guide["shots"] == "all":
                renderer.needed = Needed(analysis)
            with contextlib.closing(renderer.rendered()) as rendered:
                give_back()  # what looking at the files and opening the network took
                for done in rendered:
                    with analysis.busy.working("encode"):
                        _write(writer, done, tally, sources)
                    size = writer.size_bytes
                    progress(writer.frames)
        warnings = analysis.warnings(writer.frames, tally.damaged) + output.losses(tally.cut)
        warnings += told + _told_of_form(job.output, writer.recoded, writer.left_out) + older
        check_strict(job.strict, warnings)
        warnings += told_of_move(job)
        with analysis.busy.working("encode"):
            writer.flush()
    seconds = time.monotonic() - began
    return Report(
        frames=writer.frames,
        fps=round((writer.frames - begun) / seconds, 3),
        seconds=round(seconds, 3),
        size_bytes=writer.size_bytes,
        seconds_by_stage=analysis.busy.rounded(),
        mean_change=tally.mean_change,
        outside_change=tally.outside_change,
        passed_through=tally.passed_through,
        skipped=sources.skipped_before + sources.skipped_after,
        warnings=warnings,
        **where_it_runs(first.network),
        quality=job.quality,
        latency_frames=first.latency_frames,
        input_space=sources.info.space_name,
        output_space=output.space_name,
        job=values_to_json(job),
        **guided_report(heard),
        needed=None if renderer.needed is None else renderer.needed.rows(),
    ).as_dict()


def _opened(
    job: HarmonizeJob, network: WindowNetwork | None, scene_leader: HarmonizeJob | None
) -> tuple[Analysis, Output]:
    """A job's files and its network, with all refused that can be before a frame is read."""
    opening = None
    if network is None and all(path.exists() for path in (job.composite, *job.masks)):
        # Opening a network takes as long as looking at the files. What is refused about these is
        # told at once: weights that come over the net may take minutes.
        opening = begin(network_for, job)
    sources = Sources(job)
    output = Output(job, sources.info)
    sources.check()
    guide = check_guide(sources, scene_leader)
    if opening is not None:
        network = opening.result()
    analysis = Analysis(sources, network)
    if guide:
        analysis.harmonizers[0].require_maps()
    check_memory(
        job.composite,
        waiting_bytes(analysis),
        "make it smaller, or harmonize a part of it (`start`, `end`) or in `quality` best",
    )
    return analysis, output


def _write(writer: FrameWriter, done: Done, tally: Tally, sources: Sources) -> None:
    """Write a frame and count it; where it ends a segment, keep how the run stands."""
    writer.write(done.timed, done.image)
    tally.count(done.moved, done.outside)
    tally.damaged += done.timed.decoded.is_corrupt
    tally.cut += done.timed.cut
    if done.snapshot is not None and isinstance(writer, SegmentedWriter):
        known = sources.skipped_before, sources.overlapping
        standing = Standing(done.timed.index + 1, *known, tally, done.snapshot)
        writer.checkpoint(*standing.saved())


def _told_of_form(output: Path, recoded: str | None, left_out: Sequence[str]) -> list[str]:
    """What is to be said of the form that an output takes."""
    told = [] if recoded is None else [f"{output}: {recoded}"]
    return told + told_left_out(output, left_out)


def _checked(
    analysis: Analysis,
    output: Output,
    began: float,
    scene_leader: HarmonizeJob | None,
    on_progress: OnProgress | None,
) -> dict[str, Any]:
    """The report of a job that is to be refused or described, and not done: docs/cli.md. All that
    it reads is read once, and its guide is heard."""
    job, sources, first = output.job, analysis.sources, analysis.harmonizers[0]
    form = output.check(job_identity(job, first, scene_leader) if job.resume else {})
    with Progress("check", sources.expected() or None, job.progress, told=on_progress) as progress:
        seen = read_whole(analysis, progress)
    heard = None
    if job.words.read():
        analysis.survey()
        heard = hear_guide(analysis, scene_leader=scene_leader)
    warnings = analysis.warnings(seen.frames, seen.damaged) + output.losses(seen.cut)
    warnings += ([] if heard is None else heard.warnings) + _told_of_form(job.output, *form)
    warnings += output.older_pictures()
    check_strict(job.strict, warnings)
    warnings += told_of_move(job)
    return {
        "schema": 1,
        "check": True,
        **guided_report(heard),
        **output.described(),
        "frames": seen.frames,
        "seconds": round(time.monotonic() - began, 3),
        "warnings": warnings,
        **where_it_runs(first.network),
        "quality": job.quality,
        "latency_frames": first.latency_frames,
        "job": values_to_json(job),
    }


def told_left_out(output: Path, left_out: Sequence[str]) -> list[str]:
    """Warnings of what a container cannot hold."""
    return [f"{output}: cannot hold {what}: left out" for what in left_out]


def check_strict(strict: bool, warnings: Sequence[str]) -> None:
    """Refuse warnings where they are to count as errors."""
    if strict and warnings:
        raise InputError(f"{warnings[0]}; mend it or leave `strict` out", field="strict")
