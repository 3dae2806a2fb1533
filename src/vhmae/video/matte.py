"""Masks and mattes from any form: a video, one picture, a folder, a numbered sequence, or packed
bits.

Mattes leave here as they are stored (uint8 or uint16, white = foreground), at the composite's size,
one a frame.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

from vhmae.arrays import Array, Matte, Picture, UnitMatte
from vhmae.errors import InputError, counted
from vhmae.video.exr import is_exr
from vhmae.video.laying import MatteFacts, check_numbers, check_times, lay, seconds_of
from vhmae.video.mask_bits import open_bits
from vhmae.video.mask_chroma import Tinted, is_tinted, matte_of_tint, tint_of
from vhmae.video.mask_meaning import (
    MOST_COLORS,
    MaskReading,
    all_but_black,
    alpha_varies,
    are_labels,
    colors_in,
    is_colored,
    labelled,
    labels_in,
    meaning_of,
    no_label,
    scale_of,
    scaled,
    told_alpha,
    told_colors,
    told_scale,
    told_tint,
)
from vhmae.video.planes import PlanarFrame
from vhmae.video.probe import PLANAR, REPACKED, VideoInfo, check_is_file, probe_video
from vhmae.video.reader import read_frames, spread_frames
from vhmae.video.sequence import (
    PICTURES,
    check_sizes,
    is_pattern,
    picture_files,
    told_numbers,
)
from vhmae.video.stills import Turn, picture_bytes, turn_of
from vhmae.video.turning import unmirrored

LOSSLESS = ("ffv1", "huffyuv", "ffvhuff", "utvideo", "png", "qtrle", "rawvideo")
DEAD_ZONE = 10
"""A lossy codec leaves noise of a few levels in black and white: values this near to them count as
them."""
ASPECT_TOLERANCE = 0.02
LOOKED_FRAMES = 8
"""Of a mask video, in which its colors are looked for before the work."""


USUAL = MaskReading()
NOTHING_TOLD = MatteFacts()


class MatteSource:
    """A matte for each frame of a composite."""

    def __init__(
        self,
        path: Path,
        frames: int | None,
        size: tuple[int, int],
        start: Callable[[int], Iterator[Matte]],
        turned: int | None = None,
        reading: MaskReading = USUAL,
        facts: MatteFacts = NOTHING_TOLD,
    ) -> None:
        """``start`` gives the mattes from a frame number on; ``turned`` is how players turn them,
        None where the file cannot say."""
        self.path = path
        self._turned = turned
        self.frames = frames
        """None: one still for all frames."""
        self.width, self.height = size
        self._start = start
        self.reading = reading
        self.facts = facts
        self.warnings = list(facts.warnings)
        """What the user should know of how the mask was understood."""

    def stored(self) -> Iterator[Matte]:
        """Mattes as the file has them, at its own size; a still comes once."""
        return self._start(0)

    def read(self, composite: VideoInfo, first: int = 0) -> Iterator[Matte]:
        """Mattes at the composite's size from frame ``first`` on; the last (or only) one without
        end.

        Raises:
            InputError: if the source breaks off before its end.
        """
        turn = self._turn(composite)
        laid = lay(composite, self).places
        stored: Iterator[Array] | None = None
        at, matte = -1, None
        for number in itertools.count(first):
            wanted = min(number, (self.frames or 1) - 1)
            if laid is not None:
                place = laid[min(number, len(laid) - 1)]
                wanted = place if place >= 0 else (self.frames or 1) - 1  # past the last one
            if wanted == at and matte is not None:
                yield matte
                continue
            if stored is None or wanted < at:
                stored, at = self._start(wanted), wanted - 1
            found = next(itertools.islice(stored, wanted - at - 1, None), None)
            if found is None:
                raise InputError(
                    f"{self.path}: is damaged: its frame {wanted} cannot be read; export the mask "
                    "again"
                )
            at, matte = wanted, self._fitted(found, turn, composite)
            yield matte

    def _fitted(self, matte: Array, turn: Turn, composite: VideoInfo) -> Array:
        matte = turn.plane(matte)
        if matte.shape == (composite.height, composite.width):
            return matte
        shrinks = matte.shape[0] > composite.height
        how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        resized: Array = cv2.resize(matte, (composite.width, composite.height), interpolation=how)
        return resized

    def _turn(self, composite: VideoInfo) -> Turn:
        """From the mattes' pixels to the composite's, which lie as they are stored, or upright."""
        if self._turned is not None:
            return Turn((self._turned - composite.turned) // 90 % 4)
        # Taken to lie as the video is stored, but where it fits the upright picture alone.
        stored, upright = composite.righted, Turn(-composite.turned // 90)
        stands = (
            self._misfit(composite, stored) > ASPECT_TOLERANCE >= self._misfit(composite, upright)
        )
        return upright if stands else stored

    def _misfit(self, composite: VideoInfo, turn: Turn) -> float:
        """How far the aspect of the mattes is from the composite's."""
        swapped = turn.quarters % 2
        width, height = (self.height, self.width) if swapped else (self.width, self.height)
        own = width / max(1, height)
        stored = composite.width / composite.height
        # A mask may have square pixels where the composite's are wide, as HDV's 1440x1080.
        shown = stored * float(composite.pixel_aspect or 1)
        return min(abs(own / one - 1.0) for one in (stored, shown))

    def doubt(self, composite: VideoInfo) -> str | None:
        """What is said where it cannot be told how the mattes lie."""
        turned = composite.turned + 90 * composite.righted.quarters
        mirrored = composite.righted.mirrored
        if not (turned or mirrored) or self._turned is not None:
            return None
        if any(
            self._misfit(composite, turn) > ASPECT_TOLERANCE
            for turn in (composite.righted, Turn(-composite.turned // 90))
        ):
            return None
        how = [f"turn it by {-turned % 360} degrees counterclockwise"] if turned else []
        how += ["mirror it left to right"] if mirrored else []
        return (
            f"{composite.path} is {'mirrored' if mirrored else 'turned'} by its file and "
            f"{self.path} does not say how it lies: it was taken to lie as the video is stored; "
            f"where it stands upright, {', then '.join(how)}"
        )

    def check_fits(self, composite: VideoInfo, hold_last: bool | None) -> str | None:
        """Refuse a mask of another aspect or length; returns a warning where a length is let pass
        (None: it never is)."""
        if (
            min(self.width, self.height) < 1
            or self._misfit(composite, self._turn(composite)) > ASPECT_TOLERANCE
        ):
            raise InputError(
                f"{self.path}: is {self.width}x{self.height} but {composite.path.name} is "
                f"{composite.width}x{composite.height}; "
                "export the mask in the composite's aspect"
            )
        if self.frames is None:
            return None
        places, warning = lay(composite, self)
        if places is not None and self.facts.numbers is not None and warning is None:
            return check_numbers(composite, self, places, hold_last)
        if places is not None:
            return check_times(composite, self, warning, hold_last)
        if self.frames == composite.frames or not composite.frames:  # a stream has no end
            return warning
        if not hold_last:
            remedy = "trim one" if hold_last is None else "trim one or pass `hold_last_mask`"
            raise InputError(
                f"{self.path}: has {counted(self.frames, 'frame')} but {composite.path.name} has "
                f"{composite.frames}; {remedy}"
            )
        return (
            f"{self.path} has {counted(self.frames, 'frame')}, {composite.path.name} has "
            f"{composite.frames}: "
            "the last mask stands still or is cut"
        )

    def shared(self, composite: VideoInfo) -> list[int] | None:
        """The places of the composite's pictures that have a mask of their number; None where they
        are not paired by number."""
        places = lay(composite, self).places if composite.files is not None else None
        if places is None or self.facts.numbers is None:
            return None
        return [at for at, place in enumerate(places) if place >= 0]


def open_matte(path: Path, reading: MaskReading = USUAL) -> MatteSource:
    """Open a mask of any form; see the module's head."""
    if is_pattern(path) or path.is_dir():
        return _open_pictures(path, picture_files(path, "mask", gaps=True), reading)
    check_is_file(path, "mask")
    if path.suffix.lower() == ".npz":
        frames, size, bits = open_bits(path)
        if reading.label not in (None, 1):
            raise no_label(path, reading.label, (1,))
        return MatteSource(path, frames, size, bits, reading=reading)
    if path.suffix.lower() in PICTURES:
        still = meaning_of(path, [path], reading.label)
        matte = still.read(path)
        return MatteSource(
            path,
            None,
            (matte.shape[1], matte.shape[0]),
            lambda _: iter([matte]),
            _known_turn(path),
            reading,
            MatteFacts(warnings=tuple(still.warnings)),
        )
    return _open_video(path, reading)


def _open_pictures(path: Path, files: list[Path], reading: MaskReading) -> MatteSource:
    meaning = meaning_of(path, files, reading.label)
    height, width = meaning.read(files[0]).shape
    check_sizes(files, "mask", (width, height))

    def start(first: int) -> Iterator[Array]:
        for file in files[first:]:
            picture = meaning.read(file)
            if picture.shape != (height, width):
                raise InputError(
                    f"{file}: is {picture.shape[1]}x{picture.shape[0]}, the first mask is "
                    f"{width}x{height}"
                )
            yield picture

    facts = MatteFacts(told_numbers(path, files), warnings=tuple(meaning.warnings))
    turned = _known_turn(files[0])
    return MatteSource(path, len(files), (width, height), start, turned, reading, facts)


def _known_turn(file: Path) -> int | None:
    """0 for a picture that was turned upright as its EXIF tag says; else it does not say."""
    return 0 if not is_exr(file) and turn_of(picture_bytes(file, "mask")) else None


def has_alpha(info: VideoInfo) -> bool:
    """Whether a video carries a matte of its own."""
    return REPACKED.get(info.pixel_format, info.pixel_format).startswith(("yuva", "gbrap"))


def layer_info(info: VideoInfo) -> VideoInfo:
    """A video's facts with the pixel format that holds its planes and a matte.

    Raises:
        InputError: where there is no such format.
    """
    planar = REPACKED.get(info.pixel_format, info.pixel_format)
    if planar.startswith(("yuva", "gbrap")):
        return dataclasses.replace(info, pixel_format=planar)
    named = (
        planar.replace("yuvj", "yuva").replace("gbrp", "gbrap")
        if planar.startswith(("yuvj", "gb"))
        else planar.replace("yuv", "yuva")
    )
    if named not in PLANAR or named == "yuva420p12le" or planar.startswith("gray"):
        raise InputError(
            f"`layer` foreground: {info.path.name} has pixel format {info.pixel_format}, which "
            "knows no alpha; convert it first"
        )
    return dataclasses.replace(info, pixel_format=named)


def layered(image: PlanarFrame, cover: UnitMatte, pixel_format: str) -> PlanarFrame:
    """A frame's planes with a matte (H, W) in [0, 1] as their alpha channel, straight."""
    depth = image.planes[0].dtype
    alpha = np.rint(cover * np.float32(image.top_code)).astype(depth)
    return dataclasses.replace(image, planes=[*image.planes[:3], alpha], pixel_format=pixel_format)


def alpha_matte(image: PlanarFrame) -> Matte:
    """A frame's own alpha channel as a matte: uint8, or uint16 above 8 bits."""
    alpha = image.planes[3]
    if image.encoding.bits in (8, 16):
        return alpha
    return np.rint(alpha * np.float32(65535.0 / image.top_code)).astype(np.uint16)


def _open_video(path: Path, reading: MaskReading) -> MatteSource:
    info = unmirrored(probe_video(path, "mask"))
    levels, told = _video_levels(info, path, reading.label)
    scale, ends = scale_of(
        (levels(frame.image) for frame in read_frames(info)),
        0 if info.codec in LOSSLESS else DEAD_ZONE,
    )
    told += told_scale(path, scale, ends)

    def start(first: int) -> Iterator[Array]:
        for number, frame in enumerate(read_frames(info, first=first), first):
            if frame.index != number:
                raise InputError(
                    f"{path}: is damaged: its frame {number} cannot be read; export the mask again"
                )
            yield scaled(levels(frame.image), scale, ends)

    stamped = info.timestamps is not None and info.time_base is not None
    return MatteSource(
        path,
        info.frames,
        (info.width, info.height),
        start,
        info.turned if info.display_matrix is not None or info.righted else None,
        reading,
        MatteFacts(None, info.fps, seconds_of(info) if stamped else None, tuple(told)),
    )


def _video_levels(
    info: VideoInfo, path: Path, label: int | None
) -> tuple[Callable[[PlanarFrame], Array], list[str]]:
    """What reads the levels of a mask video's frames, and what is said of it."""
    if label is not None:
        seen: set[int] = set()
        for frame in read_frames(info):
            picture = _labeled(frame.image)
            if labelled(picture, label).any():
                return lambda image: all_but_black(labelled(_labeled(image), label)), []
            seen |= labels_in(picture)
        raise no_label(path, label, seen)
    told = []
    if has_alpha(info) and info.pixel_format != "pal8":
        varies = alpha_varies(frame.image.planes[3] for frame in read_frames(info))
        told.append(told_alpha(path, varies))
        if varies:
            return alpha_matte, told
    colors = _colors_of(info)
    if colors:
        told.append(told_colors(path, colors))
        if are_labels(colors):
            return lambda image: all_but_black(_colors(image)), told
    if not colors and (tinted := _tint_of(info)) is not None:
        told.append(told_tint(path, tinted.kind))
        if tinted.kind != "picture":
            peak, edge = tinted.peak, 0.0 if info.codec in LOSSLESS else float(DEAD_ZONE)
            return lambda image: matte_of_tint(image, peak, edge), told
    table = _levels_of_codes(info)

    def levels(image: PlanarFrame) -> Array:
        # The frames that were looked at may have been empty ones.
        if not colors and _is_painted(info) and not _is_grey(image):
            picture = _colors(image)
            if is_colored(picture) and are_labels(colors_in(picture)):
                return all_but_black(picture, table.dtype)
        codes = _grey_plane(image)
        return cv2.LUT(codes, table) if codes.dtype == np.uint8 else table[codes]

    return levels, told


def _colors_of(info: VideoInfo) -> set[int]:
    """The colors of a mask video whose red, green and blue are stored as they were painted, in
    :data:`LOOKED_FRAMES` of it and until they are too many for labels; none where these are
    grey."""
    colors: set[int] = set()
    if not _is_painted(info):
        return colors
    colored = False
    for frame in spread_frames(info, LOOKED_FRAMES):
        picture = _colors(frame.image)
        colored |= is_colored(picture)
        colors |= colors_in(picture)
        if len(colors) > MOST_COLORS:
            break
    return colors if colored else set()


def _tint_of(info: VideoInfo) -> Tinted | None:
    """What a colored mask video of luma and chroma shows in :data:`LOOKED_FRAMES` of it, or where
    all of these are black, in the first ones that are not; None for one that is grey."""
    if info.encoding.matrix == "rgb" or info.pixel_format.startswith("gray"):
        return None
    looked = [frame.image for frame in spread_frames(info, LOOKED_FRAMES)]
    low = int(np.flatnonzero(_levels_of_codes(info))[0])

    def is_black(image: PlanarFrame) -> bool:
        return int(image.planes[0].max()) < low and not is_tinted(image)

    if all(map(is_black, looked)):
        frames = (frame.image for frame in read_frames(info))
        looked = list(itertools.islice(itertools.dropwhile(is_black, frames), LOOKED_FRAMES))
    tinted = [image for image in looked if is_tinted(image)]
    return tint_of(tinted) if tinted else None


def _is_painted(info: VideoInfo) -> bool:
    """Whether a video stores red, green and blue as they were painted."""
    return info.encoding.matrix == "rgb" and info.codec in LOSSLESS


def _colors(image: PlanarFrame) -> Array:
    """Blue, green, red (H, W, 3) of a frame of these, 8 or 16 bits."""
    green, blue, red = image.planes[:3]
    colors: Array = np.dstack([blue, green, red])
    return colors if image.encoding.bits in (8, 16) else colors << (16 - image.encoding.bits)


def _labeled(image: PlanarFrame) -> Picture:
    """A frame whose labels are asked for: its colors, or its luma."""
    rgb = image.encoding.matrix == "rgb" and len(image.planes) >= 3
    return _colors(image) if rgb else image.planes[0]


def _is_grey(image: PlanarFrame) -> bool:
    """Whether the red, green and blue of a frame of these are the same everywhere."""
    green, blue, red = image.planes[:3]
    return np.array_equal(green, red) and np.array_equal(green, blue)


def _grey_plane(image: PlanarFrame) -> Array:
    """The luma of a frame; of red, green and blue what is grey, and their brightness elsewhere."""
    first = image.planes[0]
    if image.encoding.matrix != "rgb" or len(image.planes) < 3:
        return first
    if _is_grey(image):
        return first
    green, blue, red = image.planes[:3]
    luma = 0.299 * red.astype(np.float32) + 0.587 * green + 0.114 * blue
    return np.rint(luma).astype(first.dtype)


def _levels_of_codes(info: VideoInfo) -> Array:
    """What each code value of a mask video's luma stands for, stretched from limited range: uint8
    (or uint16 above 8 bits)."""
    bits = info.encoding.bits
    top = 255 if bits == 8 else 65535
    low, span = (
        (0.0, 2.0**bits - 1.0)
        if info.encoding.full_range
        else (16.0 * 2 ** (bits - 8), 219.0 * 2 ** (bits - 8))
    )
    levels = (np.arange(1 << bits) - low) * (top / span)
    if info.codec not in LOSSLESS:
        edge = DEAD_ZONE * top / 255
        levels = np.where(levels < edge, 0.0, np.where(levels > top - edge, top, levels))
    table: Array = np.rint(np.clip(levels, 0, top)).astype(np.uint8 if bits == 8 else np.uint16)
    return table
