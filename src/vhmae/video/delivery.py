"""What a written file will be read as, by encoder and container: range, matrix, siting of chroma.

A file that cannot say what its code values are is read by convention. What the convention is
decides what must be written; where that differs from the source, whole frames are recoded, once
(``recode``). Everything that writes asks here, and nowhere else.

Sources: ITU-T H.264, H.265, H.273 (VUI); AV1 and VP9 bitstream specifications; RFC 6386 9.2 (VP8
is BT.601 of limited range); JFIF 1.02 (JPEG is BT.601 of full range, chroma centered); SMPTE RDD 36
(ProRes tells its matrix, range is limited); ISO 13818-2 6.3.6; SMPTE ST 2019-1 (DNxHR); QuickTime's
``nclc`` tells no range, ISO 23001-8's ``nclx`` and Matroska's ``Colour`` do; AVI tells nothing.
"""

from __future__ import annotations

import dataclasses
from typing import get_args

import av

from vhmae.color.light import HdrSpace
from vhmae.color.yuv import ColorEncoding, Matrix
from vhmae.errors import InputError
from vhmae.video.probe import PLANAR, REPACKED, VideoInfo, untagged_matrix
from vhmae.video.siting import Siting, usual_siting

_ANY = tuple(matrix for matrix in get_args(Matrix) if matrix != "rgb")


@dataclasses.dataclass(frozen=True)
class _Readings:
    """What a file can say, or will be taken for."""

    matrices: tuple[Matrix, ...]
    """The first is that of files which say another one."""
    ranges: tuple[bool, ...]
    """Full or not; as ``matrices``."""


_SAY_ALL = _Readings(_ANY, (False, True))
_SAY_MATRIX = _Readings(_ANY, (False,))
# By FFmpeg's names of codecs, not of their encoders.
_BY_CODEC = {
    **dict.fromkeys(("h264", "hevc", "vp9", "av1"), _SAY_ALL),
    **dict.fromkeys(("prores", "mpeg2video"), _SAY_MATRIX),
    "vp8": _Readings(("bt601",), (False,)),
    "mpeg1video": _Readings(("bt601",), (False,)),
    "webp": _Readings(("bt601",), (False,)),
    "mjpeg": _Readings(("bt601",), (True,)),
    "utvideo": _Readings(("bt709", "bt601"), (False,)),  # one code each: ULH and ULY
    "dnxhd": _Readings(("bt709",), (False,)),  # FFmpeg's encoder writes no other into its header
}
_BY_CONTAINER = {
    **dict.fromkeys((".mkv", ".webm", ".mp4"), _SAY_ALL),
    ".mov": _SAY_MATRIX,
}
"""FFmpeg writes no colors into .m4v."""
_SAYS_TOGETHER = (".mp4", ".mov")
"""FFmpeg writes what these say of colors (``colr``) where matrix, primaries and transfer are all
told, and nothing otherwise."""
SAYS_SITING = ("h264", "hevc")
"""These can say another siting than their usual one."""
_SAYS_CURVE = ("h264", "hevc", "av1", "prores", "png")
"""These can say themselves that they are PQ or HLG (PNG by its chunk cICP)."""
_LEAST_HDR_BITS = 10
"""BT.2100 knows 10 and 12 bit."""
_MUST_SAY_MATRIX = ("utvideo",)
"""These choose their own code by the tag: without one they are read as BT.601 at any size."""


@dataclasses.dataclass(frozen=True)
class Delivery:
    """What a file's code values will be."""

    codec: str
    """FFmpeg's name of what the encoder writes."""
    pixel_format: str
    """FFmpeg's name, as the encoder takes it."""
    planar: str
    """FFmpeg's name of the planes that are repacked into it, without loss but for formats that
    have no planes of their own here."""
    encoding: ColorEncoding
    siting: Siting
    before: ColorEncoding
    """That of the source."""
    siting_before: Siting
    untouched: bool
    """Whether the source's code values are written as they are."""
    says_together: bool = False
    """Whether the file says its matrix and range only beside its primaries and its transfer."""

    @property
    def told(self) -> str | None:
        """What changes for every pixel, in a few words; None where range and matrix stay."""
        changes = []
        if "rgb" not in (self.before.matrix, self.encoding.matrix):
            if self.before.matrix != self.encoding.matrix:
                changes.append(f"{_named(self.before.matrix)} to {_named(self.encoding.matrix)}")
            if self.before.full_range != self.encoding.full_range:
                ranges = ("limited", "full")
                changes.append(
                    f"{ranges[self.before.full_range]} to {ranges[self.encoding.full_range]} range"
                )
        return " and ".join(changes) or None


def lost_siting(source: VideoInfo, target: Delivery) -> str | None:
    """Where a source says its chroma lies, where the file cannot say so and its chroma is written
    as it is; None otherwise."""
    spans = target.planar.startswith(("yuv42", "yuvj42", "yuva42"))
    kept = target.siting == target.siting_before or target.told is not None
    return None if source.siting is None or kept or not spans else source.siting


def _named(matrix: str) -> str:
    return f"BT.{matrix.removeprefix('bt')}"


def canonical(encoder: str) -> str:
    """FFmpeg's name of the codec that an encoder writes."""
    return str(av.Codec(encoder, "w").canonical_name)


def siting_options(target: Delivery) -> dict[str, str]:
    """The encoder's options that say where its chroma lies, where that is not its usual place."""
    unusual = target.siting != usual_siting(target.codec) and target.planar.startswith(
        ("yuv42", "yuvj42", "yuva42")
    )
    return {"chroma_sample_location": target.siting} if unusual else {}


def must_say_matrix(target: Delivery) -> bool:
    """Whether a file is misread that leaves its matrix to the reader."""
    return target.codec in _MUST_SAY_MATRIX


def planar_format(pixel_format: str) -> str:
    """The planar format that holds a pixel format's values."""
    if pixel_format in PLANAR:
        return pixel_format
    if pixel_format in REPACKED:
        return REPACKED[pixel_format]
    form = av.VideoFormat(pixel_format, 2, 2)
    alpha = "a" if any(one.is_alpha for one in form.components) else ""
    bits = max((one.bits for one in form.components), default=8)
    if form.is_rgb or form.has_palette or (alpha and len(form.components) == 2):
        depth = next((deep for deep in (8, 10, 12) if bits <= deep), 16)
        kind = f"gbr{alpha}p"
    elif len(form.components) == 1:
        depth = next((deep for deep in (8, 10, 12) if bits <= deep), 16)
        kind = "gray"
    else:
        depth = next((deep for deep in (8, 10) if bits <= deep), 12)
        spans = (-(-2 // form.chroma_width(2)), -(-2 // form.chroma_height(2)))
        kind = f"yuv{alpha}{ {(2, 2): '420', (2, 1): '422'}.get(spans, '444') }p"
    return kind if depth == 8 else f"{kind}{depth}le"


def delivery(source: VideoInfo, encoder: str, container: str, pixel_format: str) -> Delivery:
    """How frames of a source must be written by an encoder, so that the file is read right.

    Args:
        container: the file's suffix, in small letters; that of a picture counts as none.
    Raises:
        InputError: where HDR would be taken for SDR, or shows its steps.
    """
    codec, before = canonical(encoder), source.encoding
    planar = planar_format(pixel_format)
    bits = av.VideoFormat(planar, 2, 2).components[0].bits
    untagged = untagged_matrix(source.height)
    readings = (
        _BY_CODEC.get(codec) or _BY_CONTAINER.get(container) or _Readings((untagged,), (False,))
    )
    own_planar = REPACKED.get(source.pixel_format, source.pixel_format)
    if planar.startswith("gb"):
        encoding = ColorEncoding("rgb", True, bits, before.space)
    else:
        usual: Matrix = "bt2020" if isinstance(before.space, HdrSpace) else untagged
        matrix = usual if before.matrix == "rgb" else before.matrix
        if matrix not in readings.matrices:
            matrix = readings.matrices[0]
        # RGB and greys of pictures have the full range; video of YUV made of them has not.
        full = (before.full_range and own_planar.startswith("yuv")) or planar.startswith("yuvj")
        if planar.startswith("gray"):
            full = before.full_range or not own_planar.startswith("gray")
        elif full not in readings.ranges:
            full = readings.ranges[0]
        encoding = ColorEncoding(matrix, full, bits, before.space)
    if isinstance(before.space, HdrSpace):
        _check_holds_hdr(source, before.space, (encoder, codec, container), encoding)
    elif before.space is not None:
        _check_bits(source, encoder, encoding)
    siting_before = source.siting or usual_siting(source.codec)
    return Delivery(
        codec,
        pixel_format,
        planar,
        encoding,
        siting_before if codec in SAYS_SITING else usual_siting(codec),
        before,
        siting_before,
        own_planar.replace("yuvj", "yuv") == planar.replace("yuvj", "yuv") and encoding == before,
        says_together=codec not in _BY_CODEC and container in _SAYS_TOGETHER,
    )


def _check_holds_hdr(
    source: VideoInfo, space: HdrSpace, written: tuple[str, str, str], encoding: ColorEncoding
) -> None:
    """Refuse what would be taken for SDR, and what has too few steps for HDR."""
    encoder, codec, container = written
    if codec not in _SAYS_CURVE and container not in _BY_CONTAINER:
        raise InputError(
            f"{source.path}: is HDR ({space.name}), and {encoder} in {container} cannot say so; "
            "write .exr or .png pictures, or .mp4, .mov or .mkv"
        )
    _check_bits(source, encoder, encoding)


def _check_bits(source: VideoInfo, encoder: str, encoding: ColorEncoding) -> None:
    """Refuse too few steps for HDR and log, which spread their light over all of them."""
    least = min(_LEAST_HDR_BITS, source.encoding.bits)
    if encoding.bits < least:
        raise InputError(
            f"{source.path}: is {source.space_name}, which needs {least} bit, and {encoder} would "
            f"write {encoding.bits}; take `codec` libx265, prores_ks or ffv1, or another `pix_fmt`"
        )
