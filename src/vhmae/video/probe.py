"""What is in a video file: looked at before any work begins, so that wrong input fails in a
second."""

from __future__ import annotations

import contextlib
import dataclasses
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorRange

from vhmae.color.light import LIGHT, Curve, HdrSpace, LightSpace, Primaries
from vhmae.color.yuv import ColorEncoding, Matrix
from vhmae.errors import InputError
from vhmae.memory import check_memory
from vhmae.video.coded_pictures import frame_counter, rate_of_frames
from vhmae.video.hdr import HdrMetadata, dolby_configuration, read_metadata
from vhmae.video.planes import format_bytes
from vhmae.video.side_data import display_matrix, shown_by
from vhmae.video.siting import Siting, siting_told
from vhmae.video.stills import UPRIGHT, Turn

# Formats that are stored plane by plane; others are repacked without loss before they are read.
PLANAR = {
    *(
        f"yuv{alpha}{kind}p{depth}"
        for alpha in ("", "a")
        for kind in ("420", "422", "444")
        for depth in ("", "10le", "12le")
    ),
    *(f"yuvj{kind}p" for kind in ("420", "422", "444")),
    *(f"gbr{alpha}p{depth}" for alpha in ("", "a") for depth in ("", "10le", "12le", "16le")),
    *(f"gray{depth}" for depth in ("", "10le", "12le", "16le")),
}
REPACKED = {
    "nv12": "yuv420p",
    "nv21": "yuv420p",
    "p010le": "yuv420p10le",
    "yuyv422": "yuv422p",
    "uyvy422": "yuv422p",
    "rgb24": "gbrp",
    "bgr24": "gbrp",
    "rgb0": "gbrp",
    "bgr0": "gbrp",
    "0rgb": "gbrp",
    "rgba": "gbrap",
    "bgra": "gbrap",
    "argb": "gbrap",
    "rgb48le": "gbrp16le",
    "rgba64le": "gbrap16le",
    "pal8": "gbrap",
    "rgb48be": "gbrp16le",
    "rgba64be": "gbrap16le",
    "gray16be": "gray16le",
    "monob": "gray",
    "monow": "gray",
    "ya8": "gbrap",
    "ya16be": "gbrap16le",
    "ya16le": "gbrap16le",
}

# Numbers of ITU-T H.273, as files carry them.
MATRICES: dict[int, Matrix] = {
    1: "bt709",
    4: "bt601",
    5: "bt601",
    6: "bt601",
    9: "bt2020",
}
_OTHER_MATRICES = {
    7: "SMPTE 240M",
    8: "YCgCo",
    10: "BT.2020 with constant luminance",
    11: "SMPTE 2085",
    13: "chromaticity-derived",
    14: "ICtCp",
}
_PROTOCOLS = (
    "concat:",
    "pipe:",
    "http:",
    "https:",
    "tcp:",
    "udp:",
    "crypto:",
    "ftp:",
    "rtmp:",
    "rtp:",
    "rtsp:",
    "srt:",
)
_LISTS = {"concat", "hls", "applehttp", "dash", "sdp", "imf"}
"""FFmpeg's formats that read other files, or reach into a network."""
_COVER = 0x400
"""FFmpeg's mark of a stream that is a picture of the file (AV_DISPOSITION_ATTACHED_PIC)."""
DEFAULT_RATE = Fraction(24)
"""Frames a second of pictures that do not say."""
LARGEST_STEP_BACK = 0.5
"""Seconds by which time stamps may go back from one packet to the next."""
_CURVES: dict[int, Curve] = {16: "PQ", 18: "HLG"}
_PRIMARIES: dict[int, Primaries] = {
    0: "BT.2020",
    1: "BT.709",
    2: "BT.2020",
    9: "BT.2020",
    12: "P3-D65",
}
"""Those of HDR: what does not say has those of BT.2100."""
FRAMES_DECODED = 4
"""Frames that a decoder and what it is asked for hold at the least."""
_NO_DISPLAYS = {8: "linear light", 9: "logarithmic", 10: "logarithmic", 17: "for cinemas (ST 428)"}
"""Transfers that are not those of displays, which video is taken to have."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class VideoInfo:
    """The facts of a video stream that harmonizing needs."""

    path: Path
    """The file, or the name of a sequence."""
    width: int
    height: int
    fps: Fraction
    """Average frames a second."""
    frames: int
    """Counted by its packets, without decoding."""
    duration_seconds: float
    """From the first frame to the end of the last."""
    start_seconds: float
    """When the first frame is shown: files need not begin at zero."""
    codec: str
    """FFmpeg's name of the codec."""
    pixel_format: str
    """FFmpeg's name, as stored."""
    encoding: ColorEncoding
    """How code values stand for colors."""
    guessed_matrix: bool
    """True where the file does not say which matrix its colors use."""
    display_matrix: bytes | None = None
    """How players turn or mirror the picture: nine 32-bit integers, as FFmpeg keeps them. The
    planes are as stored."""
    mirrored: bool = False
    """Whether players mirror the picture, left to right, before they turn it."""
    turned: int = 0
    """Degrees counterclockwise by which players turn the picture, in quarters."""
    righted: Turn = UPRIGHT
    """How frames are brought upright as they are read; then players have nothing left to do, and
    width and height are those of the upright frame."""
    siting: Siting | None = None
    """Where its chroma lies; None where the file does not say, and where 4:4:4 needs no place."""
    timestamps: np.ndarray | None = dataclasses.field(default=None, compare=False, repr=False)
    """(frames,) int64, ascending: when each frame is shown, in units of the stream's time base;
    None where the file does not say."""
    time_base: Fraction | None = None
    """Seconds that a unit of ``timestamps`` stands for."""
    stamped: bool = False
    """Whether frames carry their time stamps: else they are counted, and cannot be sought."""
    files: tuple[Path, ...] | None = None
    """The pictures of a sequence, in order; None for a video file."""
    numbers: tuple[int, ...] | None = None
    """The numbers of the pictures."""
    associated: bool = False
    """OpenEXR: the colors were multiplied by alpha in linear light; they are divided by it as they
    are read."""
    pixel_aspect: Fraction | None = None
    """How many times as wide a pixel is as it is high; None where that is not said."""
    warnings: tuple[str, ...] = ()
    """What the user should know of how the source is read."""
    held: LightSpace | None = None
    """OpenEXR: the space of the file's values; None is linear light of its primaries. The planes
    are sRGB."""
    hdr: HdrMetadata = dataclasses.field(default_factory=HdrMetadata)
    """What the file tells of its light."""

    @property
    def frame_bytes(self) -> int:
        """Memory of a decoded frame, with its planes where it is not stored plane by plane."""
        kept = [self.pixel_format]
        kept += [REPACKED[self.pixel_format]] if self.pixel_format in REPACKED else []
        return sum(format_bytes(name, self.width, self.height) for name in kept)

    @property
    def space_name(self) -> str:
        """What its values stand for, as reports call it."""
        space = self.held if self.codec == "exr" else self.encoding.space
        if space is not None:
            return space.name
        return LIGHT if self.codec == "exr" else "SDR"


def is_address(path: Path) -> bool:
    """Whether a name means one of FFmpeg's protocols: no path may reach out through one."""
    return "://" in str(path) or str(path).startswith(_PROTOCOLS)


def check_is_file(path: Path, what: str) -> None:
    """Refuse addresses and missing files with a line that says what to do."""
    if is_address(path):
        raise InputError(f"{path}: is an address, not a file; download it first")
    if path.is_dir():
        raise InputError(f"{path}: is a folder; expected a video file as the {what}")
    if not path.exists():
        raise InputError(f"{path}: no such file; check the path of the {what}")
    if not path.is_file():
        raise InputError(
            f"{path}: is a pipe or a device; expected a file as the {what} (frames come through a "
            "pipe by: vhmae harmonize -)"
        )


def open_video(path: Path, what: str) -> av.container.InputContainer:
    """Open a file that has a video stream, or say what is wrong with it."""
    check_is_file(path, what)
    try:
        # The file protocol by name: a path can never reach out through another one.
        container = av.open(f"file:{path.absolute()}", metadata_errors="replace")
    except (av.error.FFmpegError, OSError) as error:
        raise InputError(
            f"{path}: is not a video that can be opened ({_reason(error)}); expected a video as "
            f"the {what}"
        ) from None
    if set(container.format.name.split(",")) & _LISTS:
        container.close()
        raise InputError(f"{path}: is a list of other files; name the video itself as the {what}")
    if not container.streams.video:
        container.close()
        raise InputError(f"{path}: has no video stream; expected a video as the {what}")
    return container


def video_stream(container: av.container.InputContainer) -> av.VideoStream:
    """The video among a file's streams: a cover, which may come first, is none."""
    streams = container.streams.video
    return next((one for one in streams if not int(one.disposition) & _COVER), streams[0])


def probe_video(
    path: Path,
    what: str = "composite",
    colorspace: Matrix | None = None,
    space: LightSpace | None = None,
) -> VideoInfo:
    """Look at a video file.

    Args:
        what: the file's part in the work, for messages.
        colorspace: overrules the file's own matrix.
        space: what the values of its colors stand for; None is what the file says.
    Raises:
        InputError: if it is no video, empty, or in a pixel format or transfer that is not handled.
    """
    with open_video(path, what) as container:
        stream = video_stream(container)
        context = stream.codec_context
        ticks = packets = 0
        shown: list[int | None] = []
        decoded: list[int | None] = []
        named = ("", None) if context is None else (context.name, context.extradata)
        begins = frame_counter(*named)
        try:
            for packet in container.demux(
                stream
            ):  # counted one by one: the packets of a long file would fill the memory
                if packet.size and not packet.is_discard:
                    packets += 1
                    is_frame = begins(packet)
                    if is_frame or named[0] != "vp8":  # a field lasts, what is hidden does not
                        ticks += packet.duration or 0
                    if not is_frame:
                        continue
                    shown.append(packet.pts)
                    decoded.append(packet.dts)
        except av.error.FFmpegError as error:
            raise InputError(
                f"{path}: is damaged ({_reason(error)}); make it again or repair it"
            ) from None
        tick = stream.time_base or Fraction(0)
        _check_order(path, decoded, tick)
        # AVI stores no presentation times: what is read as such is the decoding order, in which no
        # frame can be told from another.
        kind = container.format.name
        times = shown if None not in shown and kind != "avi" else decoded
        known = [time for time in times if time is not None]
        timestamps = np.sort(np.array(known, np.int64)) if len(known) == len(times) else None
        distinct = timestamps is not None and bool((np.diff(timestamps) > 0).all())
        # After a seek in a program stream the first stamps are guesses, and so are those that
        # repeat.
        stamped = distinct and times is shown and kind != "mpeg"
        if kind == "mpeg" and not distinct:
            timestamps = None
        _check_size(path, context)
        first = _first_frame(container, stream, path) if times else None
        if first is None or context is None or not context.width or context.pix_fmt is None:
            raise InputError(
                f"{path}: has no frames that can be decoded; make it again or repair it"
            )
        info = describe_stream(stream, path, colorspace, space)
        between = float((max(known) - min(known)) * tick) if known else 0.0
        fps = rate_of_frames(info.fps, packets, len(times), between)
        info = dataclasses.replace(info, fps=fps)
        matrix = display_matrix(first)
        mirrored, turned = shown_by(matrix)
        # The last frame lasts as long as one at the average rate, where nothing else is said.
        span = between + float(1 / info.fps) if known else 0.0
        return dataclasses.replace(
            info,
            frames=len(times),
            duration_seconds=max(float(ticks * tick), span, 0.0) or len(times) / float(info.fps),
            start_seconds=float((min(known) if known else 0) * tick),
            display_matrix=matrix,
            mirrored=mirrored,
            siting=siting_told(first),
            hdr=read_metadata(first, str(path), context.codec_tag, dolby_configuration(stream)),
            turned=turned,
            timestamps=timestamps,
            time_base=tick,
            stamped=stamped,
        )


def _check_size(path: Path, context: Any) -> None:
    """Refuse frames that would not fit the memory, before one is decoded."""
    if context is None or context.pix_fmt is None:  # of a codec that is not known here
        return
    frame = format_bytes(context.pix_fmt, context.width, context.height)
    check_memory(path, FRAMES_DECODED * frame, "make it smaller")


def _check_order(path: Path, decoded: list[int | None], tick: Fraction) -> None:
    """Refuse a file whose clock is set back: its later frames would be shown among the earlier
    ones."""
    known = np.array([time for time in decoded if time is not None], np.int64)
    back = np.flatnonzero(np.diff(known) * float(tick) < -LARGEST_STEP_BACK)
    if len(back):
        raise InputError(
            f"{path}: its time stamps go back at frame {int(back[0]) + 1}, as in files put end to "
            "end; join them by a tool that mends them"
        )


def sound_codecs(info: VideoInfo) -> list[str]:
    """The codecs of a video's sound."""
    if info.files is not None:
        return []
    with open_video(info.path, "video") as container:
        # What FFmpeg cannot decode has no codec.
        known = [stream.codec_context for stream in container.streams.audio]
        return ["unknown" if context is None else context.name for context in known]


def alpha_decoder(stream: av.VideoStream) -> str | None:
    """The decoder that gives a stream's alpha where it lies beside the packets (VP8 and VP9 in
    .webm and .mkv)."""
    marked = any(
        key.lower() == "alpha_mode" and value == "1" for key, value in stream.metadata.items()
    )
    return (
        {"vp8": "libvpx", "vp9": "libvpx-vp9"}.get(stream.codec_context.codec.canonical_name)
        if marked
        else None
    )


def describe_stream(
    stream: av.VideoStream,
    path: Path,
    colorspace: Matrix | None = None,
    space: LightSpace | None = None,
) -> VideoInfo:
    """What an open stream says of itself, before any frame is seen: frames and times are left at
    zero.

    Args:
        colorspace, space: as :func:`probe_video` takes them.
    Raises:
        InputError: for a pixel format or primaries of HDR that are not handled.
    """
    context = stream.codec_context
    pixel_format = str(context.pix_fmt)
    if pixel_format == "yuv420p" and alpha_decoder(stream) is not None:
        pixel_format = "yuva420p"
    if pixel_format not in PLANAR and pixel_format not in REPACKED:
        raise InputError(
            f"{path}: pixel format {pixel_format} is not handled; convert it to yuv420p or "
            "yuv444p10le first"
        )
    space = space or _told_space(context, path)
    planar = REPACKED.get(pixel_format, pixel_format)
    tag = int(context.colorspace or 2)
    if tag in _OTHER_MATRICES and colorspace is None and planar.startswith("yuv"):
        raise InputError(
            f"{path}: its colors are in {_OTHER_MATRICES[tag]}, which is not handled; convert "
            "them to BT.709 first"
        )
    matrix, guessed = _matrix(planar, tag, context.height, colorspace)
    if guessed and isinstance(space, HdrSpace):  # BT.2100 has one, at any size
        matrix, guessed = "bt2020", False
    bits = av.VideoFormat(planar, 2, 2).components[0].bits
    range_told = context.color_range != ColorRange.UNSPECIFIED and not planar.startswith(
        ("yuvj", "gb")
    )
    full = context.color_range == ColorRange.JPEG if range_told else is_full_untold(planar)
    return VideoInfo(
        path=path,
        width=context.width,
        height=context.height,
        fps=Fraction(stream.average_rate or stream.guessed_rate or 25),
        frames=0,
        duration_seconds=0.0,
        start_seconds=0.0,
        codec=context.codec.canonical_name,
        pixel_format=pixel_format,
        encoding=ColorEncoding(matrix, full, bits, space),
        guessed_matrix=guessed,
        warnings=() if space else _transfer_told(path, int(context.color_trc or 0)),
        pixel_aspect=_shape(stream.sample_aspect_ratio or context.sample_aspect_ratio),
    )


def _told_space(context: Any, path: Path) -> LightSpace | None:
    """The space that a stream's transfer and primaries say; None is SDR."""
    curve = _CURVES.get(int(context.color_trc or 0))
    if curve is None:
        return None
    primaries = int(context.color_primaries or 0)
    if primaries not in _PRIMARIES:
        raise InputError(
            f"{path}: is {curve} with primaries of the number {primaries} (ITU-T H.273), which are "
            "not handled; convert it to BT.2020 first"
        )
    return HdrSpace(curve, _PRIMARIES[primaries])


def _transfer_told(path: Path, tag: int) -> tuple[str, ...]:
    """What the user is told of values that are not meant for a display."""
    kind = _NO_DISPLAYS.get(tag)
    if kind is None:
        return ()
    return (
        f"{path}: says its values are {kind}; they are taken as those of a display; name their "
        "space by `input_space`, or convert them to BT.709 first where that is wrong",
    )


def _shape(aspect: Fraction | None) -> Fraction | None:
    return Fraction(aspect) if aspect else None


def _matrix(planar: str, tag: int, height: int, colorspace: Matrix | None) -> tuple[Matrix, bool]:
    if planar.startswith("gb"):
        return "rgb", False
    if colorspace is not None:
        return colorspace, False
    if tag in MATRICES:
        return MATRICES[tag], False
    return untagged_matrix(height), True


def is_full_untold(pixel_format: str) -> bool:
    """Whether code values of a pixel format take the full range where a file does not say."""
    return REPACKED.get(pixel_format, pixel_format).startswith(("yuvj", "gb", "gray"))


def untagged_matrix(height: int) -> Matrix:
    """The matrix that players assume where a file names none."""
    return "bt709" if height >= 720 else "bt601"


def _first_frame(
    container: av.container.InputContainer, stream: av.VideoStream, path: Path
) -> av.VideoFrame | None:
    """The first frame of a file that was read to its end, or the first that can be decoded."""
    with contextlib.suppress(av.error.FFmpegError):
        container.seek(0)
        if (found := _next_frame(container, stream)) is not None:
            return found
    with open_video(path, "video") as again:  # bare streams cannot be rewound
        return _next_frame(again, video_stream(again))


def _next_frame(
    container: av.container.InputContainer, stream: av.VideoStream
) -> av.VideoFrame | None:
    for packet in container.demux(stream):
        with contextlib.suppress(av.error.FFmpegError):
            for frame in packet.decode():
                return frame
    return None


def _reason(error: BaseException) -> str:
    return str(getattr(error, "strerror", None) or error).strip().splitlines()[0][:120]
