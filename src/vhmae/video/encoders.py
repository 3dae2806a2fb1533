"""Encoders: which one a video takes, with what settings and pixel format."""

from __future__ import annotations

import contextlib
import io
import os
import threading
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.codec.codec import find_best_pix_fmt_of_list

from vhmae.errors import InputError, did_you_mean
from vhmae.video.probe import REPACKED, VideoInfo

# The encoder of the same family as the input's codec; what is not here falls to H.264.
ENCODERS = {
    "h264": "libx264",
    "hevc": "libx265",
    "h265": "libx265",
    "vp8": "libvpx",
    "vp9": "libvpx-vp9",
    "av1": "libsvtav1",
    "ffv1": "ffv1",
    "prores": "prores_ks",
    "mjpeg": "mjpeg",
    "mpeg4": "mpeg4",
    "mpeg2video": "mpeg2video",
    "huffyuv": "huffyuv",
    "ffvhuff": "ffvhuff",
    "utvideo": "utvideo",
    "qtrle": "qtrle",
    "png": "png",
    "dnxhd": "dnxhd",
    "rawvideo": "rawvideo",
    "v210": "v210",
    "cfhd": "cfhd",
}
CRF_RANGES = {
    "libx264": (0, 51),
    "libx264rgb": (0, 51),
    "libx265": (0, 51),
    "libvpx-vp9": (0, 63),
    "libvpx": (4, 63),
    "libsvtav1": (0, 63),
}
DEFAULT_CRF = 16
_X26X_PRESETS = (
    "ultrafast",
    "superfast",
    "veryfast",
    "faster",
    "fast",
    "medium",
    "slow",
    "slower",
    "veryslow",
    "placebo",
)
PRESETS = {
    "libx264": _X26X_PRESETS,
    "libx264rgb": _X26X_PRESETS,
    "libx265": _X26X_PRESETS,
    "libsvtav1": tuple(str(number) for number in range(14)),
}
# Encoders that would fall to a low bit rate by default: a fixed quantiser of 2 is their best usual
# quality.
_BY_QUANTISER = ("mjpeg", "mpeg4", "mpeg2video")
_QUANTISER_UNITS = 118  # FF_QP2LAMBDA
_X26X = ("libx264", "libx265")
_PRORES_PROFILES = {
    "Proxy": "proxy",
    "LT": "lt",
    "Standard": "standard",
    "HQ": "hq",
    "4444": "4444",
    "XQ": "4444xq",
}
"""FFmpeg's names in files, and in its encoder."""
_RGB_PICTURES = ("tiff", "libwebp")
"""Readers of these differ in how they take YUV."""
_CODES_FIELDS = ("libx264", "mpeg2video", "mpeg4", "prores_ks")
UPPER_FIRST = (2, 4)
"""FFmpeg's AVFieldOrder of frames that are coded with the upper field first."""
RATES_ONLY = ("mpeg4", "mpeg2video")
"""These know frame rates only, no time stamps, and 16 bits of them."""


def choose_encoder(codec: str | None, source: VideoInfo, pix_fmt: str | None = None) -> str:
    """The encoder of a codec's or encoder's name; by default that of the source's family.

    Args:
        pix_fmt: what is asked for, if anything.
    """
    encoder = codec or (
        "libx264" if source.files is not None else ENCODERS.get(source.codec, "libx264")
    )
    asked_rgb = pix_fmt is None or pix_fmt.startswith(("rgb", "bgr", "gbr"))
    is_capture = source.codec == "h264" and _is_rgb(source)  # of a screen
    if codec is None and encoder == "libx264" and is_capture and asked_rgb:
        encoder = "libx264rgb"
    encoder = ENCODERS.get(encoder, encoder)
    if encoder in RATES_ONLY and not is_even(source):
        if codec is not None:
            raise InputError(
                f"knows even rates only, and the frames of {source.path} are not; take libx264",
                field="codec",
                value=codec,
            )
        encoder = "libx264"
    if not _encodes(encoder):
        why = "can be read and not written here"
        if encoder not in av.codecs_available:
            why = f"unknown{did_you_mean(encoder, av.codecs_available)}"
        raise InputError(
            f"{why}; try libx264, libx265, prores_ks or ffv1",
            field="codec",
            value=encoder,
        )
    return encoder


def is_even(source: VideoInfo) -> bool:
    """Whether a video's frames are shown at an even rate."""
    if source.timestamps is None or len(source.timestamps) < 3:
        return True
    shown = (source.timestamps - source.timestamps[0]) / max(
        1, source.timestamps[-1] - source.timestamps[0]
    )
    return bool(np.abs(shown * (len(shown) - 1) - np.arange(len(shown))).max() < 0.5)


def _encodes(name: str) -> bool:
    """Whether there is an encoder of video of a name: some codecs can only be decoded."""
    try:
        return bool(av.Codec(name, "w").type == "video")
    except (av.codec.codec.UnknownCodecError, ValueError):
        return False


def encoder_options(
    encoder: str, crf: int | None, preset: str | None, pix_fmt: str = "", container: str = ""
) -> dict[str, str]:
    """What an encoder is told.

    Args:
        crf: quality of the encoders in ``CRF_RANGES``; None takes :data:`DEFAULT_CRF`.
        preset: speed preset; None is the encoder's own.
        pix_fmt, container: what is written, where that makes a difference.
    Raises:
        InputError: for what the encoder does not know: FFmpeg would clamp or ignore it.
    """
    options: dict[str, str] = {}
    if encoder in CRF_RANGES:
        low, high = CRF_RANGES[encoder]
        value = DEFAULT_CRF if crf is None else crf
        if not low <= value <= high:
            raise InputError(
                f"out of range for {encoder}; expected {low} (best) to {high}",
                field="crf",
                value=crf,
            )
        options["crf"] = str(value)
    elif crf is not None:
        raise InputError(f"{encoder} has no such setting; leave it out", field="crf", value=crf)
    if preset is not None:
        known = PRESETS.get(encoder)
        if known is None:
            raise InputError(
                f"{encoder} has no such setting; leave it out", field="preset", value=preset
            )
        if preset not in known:
            raise InputError(
                f"unknown to {encoder}{did_you_mean(preset, known)}; expected one of "
                f"{', '.join(known)}",
                field="preset",
                value=preset,
            )
        options["preset"] = preset
    if container == ".avi" and encoder in (*_X26X, "libx264rgb"):
        options["bf"] = "0"  # AVI knows no time stamps: frames are shown as they are decoded
    if encoder == "dnxhd":  # DNxHR takes any size; it will not choose among its profiles
        deep = "10" in pix_fmt
        options["profile"] = (
            "dnxhr_444"
            if "444" in pix_fmt or pix_fmt.startswith("gb")
            else "dnxhr_hqx"
            if deep
            else "dnxhr_hq"
        )
    if encoder == "libx265":
        options["x265-params"] = "log-level=error"
    if encoder == "libsvtav1":
        os.environ.setdefault("SVT_LOG", "1")  # errors alone: it writes to the terminal by itself
    if encoder == "libvpx-vp9":
        options |= {"b": "0", "row-mt": "1"}
    if (
        encoder == "libvpx"
    ):  # its quality counts up to this rate alone, which is 256 kbit/s by itself
        options["b"] = "100000000"
    if encoder in _BY_QUANTISER:
        options |= {"flags": "+qscale", "global_quality": str(2 * _QUANTISER_UNITS)}
    return options


def joined_options(options: dict[str, str], more: dict[str, str]) -> dict[str, str]:
    """Options of an encoder with others of it; lists of its own parameters are joined."""
    lists = {
        key: f"{options[key]}:{value}"
        for key, value in more.items()
        if key.endswith("-params") and key in options
    }
    return {**options, **more, **lists}


def profile_options(encoder: str, profile: str, pix_fmt: str) -> dict[str, str]:
    """The encoder's option that keeps a source's profile, where it is one of ProRes.

    Args:
        profile: FFmpeg's name of the source's.
    """
    named = _PRORES_PROFILES.get(profile)
    if encoder != "prores_ks" or named is None or named.startswith("4444") != ("444" in pix_fmt):
        return {}
    return {"profile": named}


def holds_fields(encoder: str, container: str) -> bool:
    """Whether a file tells which lines of an interlaced frame belong to which field, so that it is
    read again (tried for every pair)."""
    codec = av.Codec(encoder, "w").canonical_name
    if container in (".mov", ".mp4", ".m4v"):
        return codec != "mpeg4"
    return container == ".mkv" or (container == ".avi" and codec == "h264")


def field_options(encoder: str, field_order: int) -> dict[str, str]:
    """The encoder's options for interlaced frames, where it codes their fields apart.

    Args:
        field_order: FFmpeg's AVFieldOrder.
    """
    if encoder not in _CODES_FIELDS:
        return {}
    flags = {"flags": "+ildct+ilme"}
    upper = field_order in UPPER_FIRST
    return flags | (
        {"x264-params": f"{'tff' if upper else 'bff'}=1"} if encoder == "libx264" else {}
    )


def pixel_format(encoder: str, source: VideoInfo, wanted: str | None) -> str:
    """The asked-for pixel format; else the source's, or the nearest to it that the encoder has."""
    formats = [one.name for one in av.Codec(encoder, "w").video_formats or []]
    if wanted == "pal8":
        raise InputError("no palette is made here; take rgb24", field="pix_fmt", value=wanted)
    if wanted is not None:
        try:
            name = av.VideoFormat(wanted, 2, 2).name
            # JPEG has the full range, whatever the name that is asked for.
            full = name.replace("yuv", "yuvj") if name.startswith("yuv4") else name
            return full if encoder == "mjpeg" and full in formats else name
        except ValueError:
            hint = (
                did_you_mean(wanted, formats)
                or f"; {encoder} takes {', '.join(formats[:6]) or 'any that FFmpeg knows'}"
            )
            raise InputError(f"unknown{hint}", field="pix_fmt", value=wanted) from None
    if encoder == "mjpeg":  # full range alone
        formats = [name for name in formats if name.startswith("yuvj")]
    if encoder in _RGB_PICTURES:
        formats = [name for name in formats if "yuv" not in name]
    # No palette is made for new colors.
    own = "rgba" if source.pixel_format == "pal8" else source.pixel_format
    if not formats or own in formats:
        return own
    if _is_rgb(source) and encoder in _X26X and not (source.width % 2 or source.height % 2):
        # What every player shows: 4:4:4 and RGB are decoded by few, 10 bit of HEVC by most.
        deep = encoder == "libx265" and source.encoding.bits > 8
        return "yuv420p10le" if deep else "yuv420p"
    nearest, _ = find_best_pix_fmt_of_list(formats, own, has_alpha=True)
    return nearest.name if nearest is not None else own


def _is_rgb(source: VideoInfo) -> bool:
    return REPACKED.get(source.pixel_format, source.pixel_format).startswith("gb")


def has_alpha_channel(pix_fmt: str) -> bool:
    """Whether a pixel format has an alpha channel."""
    return any(component.is_alpha for component in av.VideoFormat(pix_fmt, 2, 2).components)


def check_raw(pix_fmt: str, container: str) -> None:
    """Refuse raw video of a pixel format that a container has no name for: it would be read as
    another one."""
    form = {"mkv": "matroska", "m4v": "ipod"}.get(container.lstrip("."), container.lstrip("."))
    held, found = io.BytesIO(), ""
    try:
        with av.open(held, "w", format=form) as trial:
            stream: Any = trial.add_stream("rawvideo", rate=25)
            stream.width, stream.height, stream.pix_fmt = 16, 16, pix_fmt
            frame = av.VideoFrame(16, 16, pix_fmt)
            frame.pts, frame.time_base = 0, Fraction(1, 25)
            trial.mux(stream.encode(frame))
            trial.mux(stream.encode(None))
        with av.open(io.BytesIO(held.getvalue())) as written:
            found = str(written.streams.video[0].codec_context.pix_fmt)
    except (av.error.FFmpegError, ValueError, IndexError):
        found = "nothing"
    if found != pix_fmt:
        raise InputError(
            f"raw video in {container} would be read as {found}; take uyvy422, another container, "
            "or a lossless `codec` (ffv1, v210)",
            field="pix_fmt",
            value=pix_fmt,
        )


_RESET_ON_FORK = 0x40000000  # Linux puts this bit to a policy
_THREADS = Path("/proc/self/task")
"""Folder with an entry a thread of this process, on Linux."""


@contextlib.contextmanager
def usual_priority() -> Iterator[None]:
    """Undo what an encoder that is opened inside does to the priority of threads.

    SVT-AV1 run by root, as in most containers, makes its threads and the one that opens it
    real-time ones, and all that this one starts later: everything else on the machine waits.
    """
    if not (hasattr(os, "sched_setscheduler") and _THREADS.is_dir()):
        yield
        return
    before = priorities()
    own = before[threading.get_native_id()]
    try:
        yield
    finally:
        for thread, now in priorities().items():
            usual = before.get(thread, own)  # of a new one, that of the thread that made it
            if now[0] & ~_RESET_ON_FORK == os.SCHED_FIFO and now != usual:
                # It may have ended meanwhile; and no encoder fails of what a system refuses here.
                with contextlib.suppress(OSError):
                    os.sched_setscheduler(thread, usual[0], os.sched_param(usual[1]))


def priorities() -> dict[int, tuple[int, int]]:
    """Policy and priority of each thread of this process, by its number; of Linux alone."""
    found = {}
    for entry in _THREADS.iterdir():
        with contextlib.suppress(OSError):  # it has ended meanwhile
            thread = int(entry.name)
            policy = os.sched_getscheduler(thread)
            found[thread] = policy, os.sched_getparam(thread).sched_priority
    return found
