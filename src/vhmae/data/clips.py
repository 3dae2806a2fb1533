"""Clips with masks: the files of a data folder, and packs of frames that training reads.

A folder holds ``NAME.mp4`` beside ``NAME.mask.npz`` (keys ``bits``: rows packed to bits, ``shape``:
(T, H, W)). A pack is one .npz of encoded pictures: decoding a JPEG costs a fifth of decoding a
video frame, and a pack travels to another machine as it is.
"""

from __future__ import annotations

import csv
import dataclasses
import sys
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath

import cv2
import numpy as np

from vhmae.arrays import Array, Codes, Frame, Frames, Mask, Numbers, Picture, Plane
from vhmae.data.hyoutube import TRAIN_LIST, is_picture, read_list, read_picture
from vhmae.data.labels import LABEL_SUFFIX, label_of, labelled, read_labels
from vhmae.errors import DAMAGED_ARCHIVE, InputError, counted
from vhmae.memory import bounded, check_archive
from vhmae.partial_output import whole_file
from vhmae.video.stills import picture_bytes

MASK_SUFFIX = ".mask.npz"
REGIONS = 10
"""Clusters that a picture without label map is divided into."""
REGION_REACH = 120.0
"""Weight of place beside CIELAB (8 bit): levels across the longer side."""
PHOTOGRAPHS = (".jpg", ".jpeg", ".webp", ".png")
VIDEOS = (".mp4", ".mkv", ".mov", ".webm", ".avi")
"""What is told of where it is no clip."""


def read_mask_bits(path: Path) -> Mask:
    """Read a packed mask: (T, H, W) bool."""
    try:
        # Bits are unpacked to bytes, and those to truth values.
        check_archive(path, "cut the clip into shorter ones", times=16.0)
        with np.load(path, allow_pickle=False) as file:
            frames, height, width = (int(side) for side in file["shape"])
            return np.unpackbits(file["bits"], axis=-1)[:frames, :height, :width].astype(bool)
    except FileNotFoundError:
        raise InputError(f"{path}: no such mask file; check the path") from None
    except DAMAGED_ARCHIVE as error:
        raise InputError(
            f"{path}: is not a packed mask with 'bits' and 'shape' ({error})"
        ) from None


def write_mask_bits(mask: Mask, path: Path) -> None:
    """Write a mask (T, H, W) bool in the packed form."""
    np.savez_compressed(
        path, bits=np.packbits(mask.astype(bool), axis=-1), shape=np.array(mask.shape)
    )


@dataclasses.dataclass(frozen=True)
class ClipFiles:
    """A video file with its mask file."""

    name: str
    video: Path
    mask: Path

    def read(self, limit: int, minimum_foreground: float = 0.005) -> tuple[Frames, Mask]:
        """Read at most ``limit`` frames, evenly spaced among those with enough foreground.

        Returns:
            Frames (T, H, W, 3) uint8 RGB and masks (T, H, W) bool.
        """
        # PyAV is needed only where video files are read.
        from vhmae.video.probe import probe_video
        from vhmae.video.reader import rgb_frames_of

        mask, info = read_mask_bits(self.mask), probe_video(self.video)
        if len(mask) != info.frames:
            raise InputError(
                f"{self.mask}: has {counted(len(mask), 'frame')}, {self.video.name} "
                f"{info.frames}; pack a mask of the whole video"
            )
        usable = np.flatnonzero(mask.mean(axis=(1, 2)) >= minimum_foreground)
        if not len(usable):
            raise InputError(
                f"{self.mask}: no frame has {minimum_foreground:.1%} foreground; leave this clip "
                "out"
            )
        picks = usable[np.linspace(0, len(usable) - 1, min(limit, len(usable))).round().astype(int)]
        frames = rgb_frames_of(info, picks.tolist())
        if frames[0].shape[:2] != mask.shape[1:]:
            (high, wide), (tall, broad) = mask.shape[1:], frames[0].shape[:2]
            raise InputError(
                f"{self.mask}: holds masks of {wide}x{high} for frames of {broad}x{tall}; pack "
                "masks of the video's size"
            )
        return np.stack(frames), mask[picks]


class NoBackground(InputError):
    """A picture whose every pixel is foreground."""


@dataclasses.dataclass(frozen=True)
class Still:
    """A picture with its label map: a clip of one frame, whose foreground is every labelled
    pixel."""

    name: str
    picture: Path
    labels: Path

    def read(self, limit: int = 1, minimum_foreground: float = 0.005) -> tuple[Frames, Mask]:
        """Read the picture as a clip does: (1, H, W, 3) uint8 RGB and (1, H, W) bool."""
        frame, mask = read_picture(self.picture), labelled(self.labels)
        if frame.shape[:2] != mask.shape:
            raise InputError(
                f"{self.labels}: is {mask.shape} but its picture {frame.shape[:2]}; leave this "
                "picture out"
            )
        if mask.mean() < minimum_foreground:
            raise InputError(
                f"{self.labels}: has under {minimum_foreground:.1%} foreground; leave this picture "
                "out"
            )
        if mask.all():
            raise NoBackground(
                f"{self.labels}: labels every pixel, so that no background is left; leave this "
                "picture out"
            )
        return frame[None], mask[None]


def list_stills(folder: Path) -> list[Still]:
    """List the pictures of a folder that have a label map, in the order of their names."""
    if not folder.is_dir():
        raise InputError(f"{folder}: is not a folder; expected NAME.jpg beside NAME.png")
    found = [(path, label_of(path)) for path in list_photographs(folder)]
    stills = [Still(path.stem, path, label) for path, label in found if label is not None]
    if not stills:
        raise InputError(
            f"{folder}: holds no picture with a label map; expected NAME.jpg beside NAME.png, or "
            f"NAME.png beside NAME{LABEL_SUFFIX}"
        )
    return stills


def list_photographs(folder: Path) -> list[Path]:
    """The pictures of a folder in the order of their names, without those that are label maps: a
    PNG beside a JPEG or WebP of its name is one, and so is NAME.mask.png."""
    files = sorted(path for path in folder.iterdir() if is_picture(path, PHOTOGRAPHS))
    others = {path.stem for path in files if path.suffix.lower() != ".png"}
    return [
        path
        for path in files
        if path.suffix.lower() != ".png"
        or not (path.stem in others or path.name.lower().endswith(LABEL_SUFFIX))
    ]


def list_clips(folder: Path) -> list[ClipFiles]:
    """List the clips of a folder in the order of their names."""
    if not folder.is_dir():
        raise InputError(f"{folder}: is not a folder; expected NAME.mp4 beside NAME.mask.npz")
    clips = [
        ClipFiles(video.stem, video, video.with_name(f"{video.stem}.mask.npz"))
        for video in sorted(folder.iterdir())
        if is_picture(video, (".mp4",)) and video.with_name(f"{video.stem}.mask.npz").exists()
    ]
    if not clips:
        raise InputError(f"{folder}: holds no clip; expected NAME.mp4 beside NAME.mask.npz")
    return clips


def read_names(path: Path, option: str) -> set[str]:
    """Names of clips, one a line; lines that begin with # are remarks.

    Args:
        option: what named the file, for messages.
    """
    try:
        lines = bounded(path).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8"
        raise InputError(
            f"{option}: {path}: cannot be read ({reason}); give a file with one clip a line"
        ) from None
    names = {line.strip() for line in lines} - {""}
    names = {name for name in names if not name.startswith("#")}
    if not names:
        raise InputError(f"{option}: {path}: names no clip; give a file with one clip a line")
    return names


def read_file_table(path: Path, option: str) -> dict[str, set[str]]:
    """Which files a table (CSV with a column ``file``) lists: names without suffix, by folder.

    Args:
        option: what named the table, for messages.
    """
    try:
        with bounded(path).open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file)
            rows = [(table.line_num, row) for row in table]
            columns = table.fieldnames or ()
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or "no table in UTF-8"
        raise InputError(
            f"{option}: {path}: cannot be read ({reason}); give a CSV with a column file"
        ) from None
    if "file" not in columns:
        raise InputError(f"{option}: {path}: has no column file; its first line names the columns")
    short = next((line for line, row in rows if row["file"] is None), None)
    if short is not None:
        raise InputError(f"{option}: {path}: line {short} names no file; mend the line")
    files = [PurePosixPath(row["file"]) for _, row in rows]
    listed: dict[str, set[str]] = {}
    for one in files:
        listed.setdefault(str(one.parent), set()).add(one.stem)
    return listed


def source_group(name: str, together: Collection[str] = ()) -> str:
    """The group of takes that a clip belongs to: no group may stand on both sides of a split.

    Args:
        name: ``SOURCE__SEQUENCE``, and ``/OBJECT`` where a video has several; sequences that differ
            in the number at their end are takes.
        together: sources whose clips are all takes of one thing, as of one person.
    """
    source, _, sequence = name.partition("/")[0].partition("__")
    return source if source in together else f"{source}__{sequence.rstrip('0123456789')}"


class Pack:
    """Encoded frames with label maps, grouped by source; read-only, small enough to stay in
    memory."""

    def __init__(
        self,
        names: list[str],
        source: Numbers,
        pictures: list[Codes],
        labels: list[Codes],
        together: Collection[str] = (),
    ) -> None:
        self.names = names
        self.together = together  # as source_group takes it
        self.source = source  # (frames,) index into names, ascending
        self._pictures = pictures
        self._labels = labels
        self._decoded: dict[int, Array] = {}
        self.frames_of = [np.flatnonzero(source == index) for index in range(len(names))]
        # Takes of one clip share a number, so that no fold has seen a part of another's scenes; the
        # same in every subset.
        groups = [
            source_group(name, together) if len(rows) > 1 else name
            for name, rows in zip(names, self.frames_of, strict=True)
        ]
        self.source_numbers = [zlib.crc32(group.encode()) for group in groups]

    def __len__(self) -> int:
        return len(self._pictures)

    def picture(self, index: int) -> Picture:
        """Decode a frame, or take it from the cache: (H, W, 3) uint8 RGB, read-only where it is
        cached."""
        if index in self._decoded:
            return self._decoded[index]
        picture = cv2.imdecode(self._pictures[index], cv2.IMREAD_COLOR)
        if picture is None:
            raise InputError(
                f"{self.names[int(self.source[index])]}: a picture in the pack is damaged; make "
                "the pack again"
            )
        return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)

    def cache_decoded(self, path: Path, limit_bytes: int) -> int:
        """Keep decoded frames in a memory-mapped file, which all processes share: the first ones,
        up to a size.

        Args:
            path: the file; made at the first call, beside it its sizes.
            limit_bytes: no frame is kept that would make the file larger.
        Returns:
            The bytes of the frames that are kept; the others are decoded each time.
        """
        sizes_file = path.with_suffix(".sizes.npy")
        if not sizes_file.exists():  # written last
            sizes, total = [], 0
            with whole_file(path) as part, part.open("wb") as file:
                for index in range(len(self)):
                    picture = self.picture(index)
                    if total + picture.nbytes > limit_bytes:
                        break
                    file.write(picture.tobytes())
                    sizes.append(picture.shape[:2])
                    total += picture.nbytes
            np.save(sizes_file, np.array(sizes, np.int64).reshape(-1, 2))
        sizes = [(int(height), int(width)) for height, width in np.load(sizes_file)]
        if sizes:
            pixels = np.memmap(path, np.uint8, "r")
            ends = np.cumsum([3 * height * width for height, width in sizes])
            self._decoded = {
                index: pixels[end - 3 * height * width : end].reshape(height, width, 3)
                for index, (end, (height, width)) in enumerate(zip(ends, sizes, strict=True))
            }
        return sum(picture.nbytes for picture in self._decoded.values())

    def labels(self, index: int) -> Plane | None:
        """Decode a label map (H, W) uint8, or None where the pack has none."""
        data = self._labels[index]
        return cv2.imdecode(data, cv2.IMREAD_GRAYSCALE) if len(data) else None

    def subset(self, keep: set[str]) -> Pack:
        """The part of the pack whose names are in ``keep``, with what is decoded of it."""
        chosen = [index for index, name in enumerate(self.names) if name in keep]
        rows = [int(row) for index in chosen for row in self.frames_of[index]]
        position = {old: new for new, old in enumerate(chosen)}
        source = np.array([position[int(self.source[row])] for row in rows], dtype=np.int64)
        names = [self.names[index] for index in chosen]
        pictures, labels = ([one[r] for r in rows] for one in (self._pictures, self._labels))
        part = Pack(names, source, pictures, labels, self.together)
        part._decoded = {
            new: self._decoded[row] for new, row in enumerate(rows) if row in self._decoded
        }
        return part

    def with_regions(self) -> Pack:
        """The pack with regions of like color in the place of label maps that are missing."""
        labels = [
            stored
            if len(stored)
            else cv2.imencode(".png", regions_of(self.picture(index)))[1].ravel()
            for index, stored in enumerate(self._labels)
        ]
        return Pack(self.names, self.source, self._pictures, labels, self.together)

    def save(self, path: Path) -> None:
        """Write the pack as one .npz."""
        arrays: dict[str, Array] = {"names": np.array(self.names), "source": self.source}
        for key, parts in (("pictures", self._pictures), ("labels", self._labels)):
            arrays[key] = np.concatenate(parts) if parts else np.zeros(0, np.uint8)
            arrays[f"{key}_sizes"] = np.array([len(part) for part in parts])
        with whole_file(path) as part:
            np.savez(part, **arrays)  # type: ignore[arg-type]  # numpy types the keywords after its own flags

    @classmethod
    def load(cls, path: Path, together: Collection[str] = ()) -> Pack:
        try:
            check_archive(path, "pack fewer frames")
            with np.load(path, allow_pickle=False) as file:
                names, source = [str(name) for name in file["names"]], file["source"]
                pictures, labels = (
                    np.split(file[key], np.cumsum(file[f"{key}_sizes"])[:-1])
                    for key in ("pictures", "labels")
                )
        except FileNotFoundError:
            raise InputError(f"{path}: no such pack; train again, which makes it") from None
        except DAMAGED_ARCHIVE as error:
            raise InputError(
                f"{path}: is not a pack of frames ({error}); delete it: training makes it again"
            ) from None
        return cls(names, source, pictures, labels, together)


def regions_of(picture: Frame) -> Codes:
    """Divide a picture (H, W, 3) uint8 RGB into connected regions of like color: labels 1.. up to
    255, (H, W) uint8, no pixel without.

    K-means over CIELAB and place, then connected pieces; pieces under 1 % of the picture go to the
    background-most label, 1.
    """
    height, width = picture.shape[:2]
    lab = cv2.cvtColor(cv2.GaussianBlur(picture, (5, 5), 0), cv2.COLOR_RGB2LAB).astype(np.float32)
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    # As far across half of the picture as between colors that nobody would call alike.
    place = np.stack([rows, columns], axis=-1) * (REGION_REACH / max(height, width))
    values = np.concatenate([lab, place], axis=-1).reshape(-1, 5)
    cv2.setRNGSeed(0)  # a picture has the same regions every time
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 10, 1.0)
    _, cluster, _ = cv2.kmeans(values, REGIONS, None, stop, 1, cv2.KMEANS_PP_CENTERS)  # type: ignore[call-overload]  # None is its own default
    cluster = cluster.reshape(height, width)
    labels = np.ones((height, width), np.uint8)
    found = 1
    for number in range(REGIONS):
        _, pieces, facts, _ = cv2.connectedComponentsWithStats((cluster == number).astype(np.uint8))
        for piece in range(1, len(facts)):
            if facts[piece, cv2.CC_STAT_AREA] >= 0.01 * labels.size and found < 255:
                found += 1
                labels[pieces == piece] = found
    return labels


def _encode(picture: Array) -> Array:
    flags = [
        cv2.IMWRITE_JPEG_QUALITY,
        95,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    ]
    return cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), flags)[1].ravel()


def _video_entries(folder: Path, frames_per_video: int) -> Iterator[tuple[str, Array, Array]]:
    for clip in list_clips(folder):
        frames, masks = clip.read(frames_per_video)
        for frame, mask in zip(frames, masks, strict=True):
            yield clip.name, _encode(frame), cv2.imencode(".png", mask.astype(np.uint8))[1].ravel()


def _still_entries(folder: Path) -> Iterator[tuple[str, Array, Array]]:
    for picture in list_photographs(folder):
        label = label_of(picture)
        data = np.frombuffer(picture_bytes(picture, "picture"), np.uint8)
        labels = (
            np.frombuffer(b"", np.uint8) if label is None else read_labels(label, picture, data)
        )
        yield picture.stem, data, labels


def _hyoutube_entries(folder: Path) -> Iterator[tuple[str, Array, Array]]:
    """Real frames of HYouTube with the masks of their objects; looks are drawn anew, its composites
    are not read."""
    for sample in read_list(folder, folder / TRAIN_LIST):
        _, real, masks = sample.read()
        for frame, mask in zip(real, masks, strict=True):
            yield (
                sample.name,
                _encode(frame),
                cv2.imencode(".png", mask.astype(np.uint8))[1].ravel(),
            )


def told_of_others(folder: Path) -> list[str]:
    """What a user should know of videos and pictures beside a folder's clips that are none."""
    clips = {clip.video for clip in list_clips(folder)}
    others = [
        path.name
        for path in sorted(folder.iterdir())
        if is_picture(path, (*VIDEOS, *PHOTOGRAPHS)) and path not in clips
    ]
    told = "clips are NAME.mp4 beside NAME.mask.npz, and pictures lie in a folder of their own"
    files = f"{counted(len(others), 'file')} left out"
    return [f"{folder}: {files}, as {others[0]}; {told}"] if others else []


def build_pack(folder: Path, frames_per_video: int = 24) -> Pack:
    """Pack a folder of clips, of stills with label maps, or the training part of HYouTube."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; check `data.folders` and `data.root`")
    if (folder / TRAIN_LIST).exists():
        entries = list(_hyoutube_entries(folder))
    elif any(is_picture(path, (".mp4",)) for path in folder.iterdir()):
        entries = list(_video_entries(folder, frames_per_video))
        for told in told_of_others(folder):
            print(f"vhmae: warning: {told}", file=sys.stderr)
    else:
        entries = list(_still_entries(folder))
    if not entries:
        raise InputError(
            f"{folder}: holds neither clips (NAME.mp4, NAME.mask.npz), pictures (.jpg, .webp, "
            f".png) nor {TRAIN_LIST}"
        )
    names = list(dict.fromkeys(name for name, _, _ in entries))
    position = {name: index for index, name in enumerate(names)}
    source = np.array([position[name] for name, _, _ in entries])
    return Pack(
        names, source, [picture for _, picture, _ in entries], [label for _, _, label in entries]
    )
