"""What HDR files carry beside their pictures: the display that they were graded on, how bright they
get, and what tells displays how to show each frame.

What holds for the whole film is written again where the encoder can; what was measured on each of
the untouched frames (HDR10+, Dolby Vision) is left out, and told.

Sources: SMPTE ST 2086 (mastering display), CTA-861.3 (content light), ITU-T H.265 D.2.28 and D.2.35
(how x265 writes both), ETSI GS CCM 001 (Dolby Vision), Dolby Vision Streams Within the ISO Base
Media File Format 3.2 (its configuration record), RFC 9559 5.1.4.1.17 (the same in Matroska).
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import re
import struct
from typing import Any

import av

from vhmae.errors import InputError
from vhmae.video.side_data import beside

MASTERING, CONTENT_LIGHT = "the mastering display", "the content light levels"
_OTHERS = {
    "DYNAMIC_HDR_PLUS": "HDR10+ metadata",
    "DYNAMIC_HDR_VIVID": "HDR Vivid metadata",
    "AMBIENT_VIEWING_ENVIRONMENT": "the ambient viewing environment",
}
"""By FFmpeg's names."""
_WRITTEN_BY = {"libx265": "x265-params", "libx264": "x264-params", "libsvtav1": "svtav1-params"}
_DOLBY = "Dolby Vision metadata"
_DOLBY_TAGS = ("dvh1", "dvhe", "dva1", "dvav", "dav1")
"""How containers mark such a stream, whether or not its pictures carry the metadata."""
_CONFIGURATION = re.compile(rb"\x41\xe7\x84dv[vcw]C\x41\xed\x98(.{24})", re.DOTALL)
"""Of Dolby Vision, as Matroska's track tells it: BlockAddIDType, BlockAddIDExtraData."""


@dataclasses.dataclass(frozen=True)
class HdrMetadata:
    """What a file tells of its light."""

    mastering: tuple[float, ...] | None = None
    """The display that it was graded on: chromaticities x, y of red, green, blue and white, its
    least and its most cd/m2."""
    content_light: tuple[int, int] | None = None
    """cd/m2 of the brightest pixel, and of the brightest frame on average."""
    others: tuple[str, ...] = ()
    """What else there is, which no encoder here writes."""

    def added(self, options: dict[str, str], encoder: str) -> dict[str, str]:
        """An encoder's options, with those that write it."""
        name = _WRITTEN_BY.get(encoder)
        words = []
        if self.mastering is not None:
            rx, ry, gx, gy, bx, by, wx, wy, least, most = self.mastering
            pairs = (
                ("G", gx, gy),
                ("B", bx, by),
                ("R", rx, ry),
                ("WP", wx, wy),
                ("L", most, least),
            )
            key = "master-display" if encoder == "libx265" else "mastering-display"
            words.append(f"{key}={''.join(_pair(encoder, *pair) for pair in pairs)}")
        if self.content_light is not None:
            key = {"libx265": "max-cll", "libx264": "cll"}.get(encoder, "content-light")
            words.append(f"{key}={self.content_light[0]},{self.content_light[1]}")
        if name is None or not words:
            return options
        before = [options[name]] if name in options else []
        return {**options, name: ":".join([*before, *words])}

    def left_out(self, encoder: str) -> list[str]:
        """What an encoder does not write."""
        known = {MASTERING: self.mastering, CONTENT_LIGHT: self.content_light}
        lost = [name for name, value in known.items() if value is not None]
        return ([] if encoder in _WRITTEN_BY else lost) + list(self.others)


def _pair(encoder: str, name: str, first: float, second: float) -> str:
    if encoder == "libsvtav1":
        return f"{name}({first:.6g},{second:.6g})"
    scale = 10_000 if name == "L" else 50_000
    return f"{name}({round(first * scale)},{round(second * scale)})"


def dolby_configuration(stream: av.VideoStream) -> bytes | None:
    """The 24 bytes by which a container of any kind says that a stream is Dolby Vision (dvcC, dvvC
    or dvwC in .mp4 and .mov): PyAV gives them in no other way than by the header of a copy."""
    copy = io.BytesIO()
    # A codec that Matroska does not hold is none of Dolby Vision's.
    with (
        contextlib.suppress(av.error.FFmpegError, ValueError),
        av.open(copy, "w", format="matroska", options={"strict": "unofficial"}) as header,
    ):
        header.add_stream_from_template(stream, opaque=True)
        header.start_encoding()
    found = _CONFIGURATION.search(copy.getvalue())
    return None if found is None else found[1]


def read_metadata(
    frame: Any, name: str, tag: str = "", configuration: bytes | None = None
) -> HdrMetadata:
    """What a decoded frame carries, by itself or by its container's header.

    Args:
        tag: the container's mark of the stream's codec.
        configuration: what it says of Dolby Vision (:func:`dolby_configuration`).
        name: the file's, for messages.
    Raises:
        InputError: for a picture that is none without its metadata (Dolby Vision profile 5, and
            its like in AV1).
    """
    data = beside(frame)
    mastering = content_light = None
    display = data.get("MASTERING_DISPLAY_METADATA", b"")
    if len(display) >= 88:  # ten fractions, and whether chromaticities and light are told
        numbers = struct.unpack_from("<22i", display)
        if numbers[20] and numbers[21] and all(numbers[1:20:2]):
            mastering = tuple(numbers[at] / numbers[at + 1] for at in range(0, 20, 2))
    light = data.get("CONTENT_LIGHT_LEVEL", b"")
    if len(light) >= 8:
        content_light = struct.unpack_from("<2I", light)
    others = [told for name, told in _OTHERS.items() if name in data]
    if "DOVI_RPU_BUFFER" in data or "DOVI_METADATA" in data:
        _check_base_layer(data.get("DOVI_METADATA", b""), name)
        others.append(_DOLBY)
    elif tag in _DOLBY_TAGS or configuration is not None:
        others.append(_DOLBY)
    if configuration is not None:
        # dv_profile takes 7 bits, dv_bl_signal_compatibility_id 4: 0 is with nothing else.
        profile, compatible = configuration[2] >> 1, configuration[4] >> 4
        if profile in (5, 10) and not compatible:
            raise InputError(_not_without_metadata(name, profile))
    return HdrMetadata(mastering, content_light, tuple(others))


def _check_base_layer(metadata: bytes, name: str) -> None:
    """Refuse a base layer that is no picture by itself: profile 5, whose colors are ICtCp of its
    own."""
    if len(metadata) < 8:
        return
    at = struct.unpack_from("<Q", metadata)[0]  # where FFmpeg's AVDOVIRpuDataHeader lies
    header = metadata[at : at + 11]
    # vdr_rpu_profile, and bl_video_full_range_flag
    if len(header) == 11 and header[4] == 0 and header[10]:
        raise InputError(_not_without_metadata(name, 5))


def _not_without_metadata(name: str, profile: int) -> str:
    return (
        f"{name}: is Dolby Vision profile {profile}, which shows wrong colors without its "
        "metadata; convert it to HDR10 or to profile 8 first"
    )
