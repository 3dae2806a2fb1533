"""Masks and mattes from any form: a video, one picture, a folder, a numbered sequence, or packed
bits.

Mattes leave here as they are stored (uint8 or uint16, white = foreground), at the composite's size,
one a frame.
"""

from __future__ import annotations

import dataclasses
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import cv2
import numpy as np

from vhmae.errors import DAMAGED_ARCHIVE, InputError
from vhmae.video.exr import ExrPicture, is_exr
from vhmae.video.planes import PlanarFrame
from vhmae.video.probe import PLANAR, REPACKED, VideoInfo, check_is_file, probe_video
from vhmae.video.reader import read_frames
from vhmae.video.sequence import PICTURES, is_pattern, picture_files

Array = np.ndarray

LOSSLESS = ("ffv1", "huffyuv", "ffvhuff", "utvideo", "png", "qtrle", "rawvideo")
DEAD_ZONE = 10
"""A lossy codec leaves noise of a few levels in black and white: values this near to them count as
them."""
ASPECT_TOLERANCE = 0.02


class MatteSource:
    """A matte for each frame of a composite."""

    def __init__(
        self,
        path: Path,
        frames: int | None,
        size: tuple[int, int],
        start: Callable[[int], Iterator[Array]],
        turned: int | None = None,
    ) -> None:
        """``start`` gives the mattes from a frame number on; ``turned`` is how players turn them,
        None where the file cannot say."""
        self.path = path
        self._turned = turned
        self.frames = frames
        """None: one still for all frames."""
        self.width, self.height = size
        self._start = start

    def stored(self) -> Iterator[Array]:
        """Mattes as the file has them, at its own size; a still comes once."""
        return self._start(0)

    def read(self, composite: VideoInfo, first: int = 0) -> Iterator[Array]:
        """Mattes at the composite's size from frame ``first`` on; the last (or only) one without
        end.

        Raises:
            InputError: if the source breaks off before its end.
        """
        matte: Array | None = None
        turns = self._turns(composite)
        number = 0 if self.frames is None else min(first, self.frames - 1)
        for matte in self._start(number):
            number += 1
            matte = np.ascontiguousarray(np.rot90(matte, turns)) if turns else matte
            if matte.shape != (composite.height, composite.width):
                shrinks = matte.shape[0] > composite.height
                how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
                matte = cv2.resize(matte, (composite.width, composite.height), interpolation=how)
            yield matte
        if matte is None or (self.frames is not None and number < self.frames):
            raise InputError(
                f"{self.path}: is damaged: its frame {number} cannot be read; export the mask again"
            )
        while True:
            yield matte

    def _turns(self, composite: VideoInfo) -> int:
        """Quarters counterclockwise from the mattes' pixels to the composite's, which lie as they
        are stored."""
        if self._turned is not None:
            return (self._turned - composite.turned) // 90 % 4
        stands = composite.turned % 180 and self._misfit(
            composite, 0
        ) > ASPECT_TOLERANCE >= self._misfit(composite, 1)
        return -composite.turned // 90 % 4 if stands else 0

    def _misfit(self, composite: VideoInfo, turns: int) -> float:
        """How far the aspect of the mattes is from the composite's."""
        width, height = (self.height, self.width) if turns % 2 else (self.width, self.height)
        return abs(width / max(1, height) / (composite.width / composite.height) - 1.0)

    def doubt(self, composite: VideoInfo) -> str | None:
        """What is said where it cannot be told how the mattes lie."""
        if not composite.turned or self._turned is not None or self._turns(composite):
            return None
        if composite.turned % 180 and self._misfit(composite, 1) > ASPECT_TOLERANCE:
            return None
        return (
            f"{composite.path} is turned by its file and {self.path} does not say how it lies: it "
            "was taken to lie as the video is stored; "
            f"where it stands upright, turn it by {-composite.turned % 360} degrees "
            "counterclockwise"
        )

    def check_fits(self, composite: VideoInfo, hold_last: bool | None) -> str | None:
        """Refuse a mask of another aspect or length; returns a warning where a length is let pass
        (None: it never is)."""
        if (
            min(self.width, self.height) < 1
            or self._misfit(composite, self._turns(composite)) > ASPECT_TOLERANCE
        ):
            raise InputError(
                f"{self.path}: is {self.width}x{self.height} but {composite.path.name} is "
                f"{composite.width}x{composite.height}; "
                "export the mask in the composite's aspect"
            )
        if self.frames is None or self.frames == composite.frames:
            return None
        if not hold_last:
            remedy = "trim one" if hold_last is None else "trim one or pass `hold_last_mask`"
            raise InputError(
                f"{self.path}: has {self.frames} frames but {composite.path.name} has "
                f"{composite.frames}; {remedy}"
            )
        return (
            f"{self.path} has {self.frames} frames, {composite.path.name} has {composite.frames}: "
            "the last mask stands still or is cut"
        )


def open_matte(path: Path) -> MatteSource:
    """Open a mask of any form; see the module's head."""
    if is_pattern(path) or path.is_dir():
        return _open_pictures(path, picture_files(path, "mask"))
    check_is_file(path, "mask")
    if path.suffix.lower() == ".npz":
        return _open_bits(path)
    if path.suffix.lower() in PICTURES:
        still = _levels(_read_grey(path), _is_of_ones([path]))
        return MatteSource(path, None, (still.shape[1], still.shape[0]), lambda _: iter([still]))
    return _open_video(path)


def _open_pictures(path: Path, files: list[Path]) -> MatteSource:
    one, of_ones = _read_grey(files[0]), _is_of_ones(files)

    def start(first: int) -> Iterator[Array]:
        for file in files[first:]:
            picture = _levels(_read_grey(file), of_ones)
            if picture.shape != one.shape:
                raise InputError(
                    f"{file}: is {picture.shape[1]}x{picture.shape[0]}, the first mask is "
                    f"{one.shape[1]}x{one.shape[0]}"
                )
            yield picture

    return MatteSource(path, len(files), (one.shape[1], one.shape[0]), start)


def _read_grey(path: Path) -> Array:
    """A picture as it is stored: whole numbers, or float32 with 1 for white."""
    if is_exr(path):
        return ExrPicture(path, "mask").matte()
    picture = cv2.imread(str(path), cv2.IMREAD_ANYDEPTH | cv2.IMREAD_GRAYSCALE)
    if picture is None or (
        path.suffix.lower() in (".jpg", ".jpeg") and b"\xff\xd9" not in path.read_bytes()[2:]
    ):
        raise InputError(f"{path}: cannot be read as a picture; export the mask again")
    if picture.dtype not in (np.uint8, np.uint16):
        if not np.isfinite(picture).all():
            raise InputError(f"{path}: holds values that are no numbers; export the mask again")
        picture = picture.astype(np.float32)
    return picture


def _is_of_ones(files: Sequence[Path]) -> bool:
    """Whether 1 means foreground, all through: as a grey level it would be no matte at all, but of
    a matte that has all but faded out."""
    pictures = (_read_grey(file) for file in files)
    return all(picture.dtype != np.float32 and picture.max() <= 1 for picture in pictures)


def _levels(picture: Array, of_ones: bool) -> Array:
    """A stored picture as uint8 or uint16, white = foreground."""
    if picture.dtype == np.float32:
        return np.rint(np.clip(picture, 0.0, 1.0) * np.float32(65535.0)).astype(np.uint16)
    return picture * picture.dtype.type(np.iinfo(picture.dtype).max) if of_ones else picture


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


def layered(image: PlanarFrame, cover: Array, pixel_format: str) -> PlanarFrame:
    """A frame's planes with a matte (H, W) in [0, 1] as their alpha channel, straight."""
    depth = image.planes[0].dtype
    alpha = np.rint(cover * np.float32(image.top_code)).astype(depth)
    return dataclasses.replace(image, planes=[*image.planes[:3], alpha], pixel_format=pixel_format)


def alpha_matte(image: PlanarFrame) -> Array:
    """A frame's own alpha channel as a matte: uint8, or uint16 above 8 bits."""
    alpha = image.planes[3]
    if image.encoding.bits in (8, 16):
        return alpha
    return np.rint(alpha * np.float32(65535.0 / image.top_code)).astype(np.uint16)


def _open_bits(path: Path) -> MatteSource:
    try:
        with zipfile.ZipFile(path) as archive:
            with archive.open("shape.npy") as member:
                frames, height, width = (
                    int(side) for side in np.lib.format.read_array(member, allow_pickle=False)
                )
            with archive.open("bits.npy") as member:
                shape, dtype = _array_header(member)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; check the path of the mask") from None
    except DAMAGED_ARCHIVE as error:
        raise InputError(
            f"{path}: is not a packed mask with 'bits' and 'shape' ({error}); export the mask again"
        ) from None
    if shape != (frames, height, -(-width // 8)) or dtype != np.uint8:
        raise InputError(
            f"{path}: its bits {shape} do not fit its shape ({frames}, {height}, {width}); export "
            "the mask again"
        )

    def start(first: int) -> Iterator[Array]:
        # Read frame by frame: the whole of a long mask would not fit the memory.
        with zipfile.ZipFile(path) as archive, archive.open("bits.npy") as member:
            _array_header(member)
            for number in range(frames):
                try:
                    row = np.frombuffer(member.read(height * shape[2]), np.uint8).reshape(
                        height, shape[2]
                    )
                except DAMAGED_ARCHIVE:
                    raise InputError(
                        f"{path}: is damaged at frame {number}; export the mask again"
                    ) from None
                if number >= first:
                    yield np.unpackbits(row, axis=-1)[:, :width] * np.uint8(255)

    return MatteSource(path, frames, (width, height), start)


def _array_header(member: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Read an .npy header and leave the stream at the first value."""
    version = np.lib.format.read_magic(member)
    read = (
        np.lib.format.read_array_header_1_0
        if version == (1, 0)
        else np.lib.format.read_array_header_2_0
    )
    shape, fortran, dtype = read(member)
    if fortran:
        raise ValueError("in Fortran order")
    return shape, dtype


def _open_video(path: Path) -> MatteSource:
    info = probe_video(path, "mask")
    table = _levels_of_codes(info)

    def start(first: int) -> Iterator[Array]:
        for number, frame in enumerate(read_frames(info, first=first), first):
            if frame.index != number:
                raise InputError(
                    f"{path}: is damaged: its frame {number} cannot be read; export the mask again"
                )
            luma = frame.image.planes[0]  # for RGB the first plane is green: masks are grey
            yield cv2.LUT(luma, table) if luma.dtype == np.uint8 else table[luma]

    return MatteSource(
        path,
        info.frames,
        (info.width, info.height),
        start,
        info.turned if info.display_matrix is not None else None,
    )


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
