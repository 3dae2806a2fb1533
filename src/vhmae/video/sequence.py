"""Pictures as frames: one still, a folder of pictures, or a numbered sequence
(``shot.%04d.png``, ``shot.####.png``, ``shot.1001-1024.png``, ``shot.*.png``)."""

from __future__ import annotations

import dataclasses
import fnmatch
import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av

from vhmae.color.light import LightSpace
from vhmae.color.yuv import Matrix
from vhmae.errors import InputError
from vhmae.partial_output import check_apart, check_folder
from vhmae.video.exr import ExrPicture, exr_size, is_exr, probe_exr
from vhmae.video.pairing import NUMBER, natural_order, numbers_of
from vhmae.video.planes import frame_of
from vhmae.video.probe import DEFAULT_RATE, VideoInfo, describe_stream
from vhmae.video.still_marks import marks_of
from vhmae.video.stills import Turn, open_picture, picture_bytes, upright_size
from vhmae.video.turning import turned_frame, turned_info

PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".exr", ".bmp", ".webp")
_FORM = re.compile(r"(.*?)%0?([0-9]*)d(.*)")
_HASHES = re.compile(r"(.*?)(#{2,}|(?<=[._-])#(?=[._-]))(.*)")
"""One # is a place for a number between dots, underscores or dashes alone: take#2.png is a name."""
_RANGE = re.compile(r"(.*?)\[?(?<![0-9])([0-9]+)-([0-9]+)\]?(\.[^.]+)")
_CLOCK = re.compile(r"\d{2}(?:[-_.:;]\d{2}){2,}$")
"""Time code, or date and time, at the end of a name."""
_NUKE = re.compile(r"(.*\S) +(-?[0-9]+)-(-?[0-9]+)")
"""A sequence's name with the first and the last number behind it, as Nuke writes it."""


def is_pictures(path: Path) -> bool:
    """Whether a path means pictures: a numbered sequence, a folder, or one picture."""
    return is_pattern(path) or path.is_dir() or path.suffix.lower() in PICTURES


def is_pattern(path: Path) -> bool:
    """Whether a path names a sequence, in any of the ways of the module's head."""
    if path.exists():
        return False
    if "%" in path.name and (_FORM.fullmatch(path.name) or path.suffix.lower() in PICTURES):
        return True
    ranged = _NUKE.fullmatch(path.name)
    name = ranged[1] if ranged else path.name
    if Path(name).suffix.lower() not in PICTURES:
        return False
    return (
        "*" in name
        or _HASHES.fullmatch(name) is not None
        or ranged is not None
        or _RANGE.fullmatch(name) is not None
    )


def files_of(path: Path) -> list[Path]:
    """The files behind a path that may name a folder of pictures or a numbered sequence."""
    return picture_files(path, "picture", gaps=True) if is_sequence(path) else [path]


def is_sequence(path: Path) -> bool:
    """Whether a path names a sequence or a folder of pictures."""
    return is_pattern(path) or path.is_dir()


def picture_files(path: Path, what: str, gaps: bool = False) -> list[Path]:
    """The pictures that a path means, in order.

    Args:
        what: their part in the work, for messages.
        gaps: let numbers be missing between the first and the last of a sequence.
    Raises:
        InputError: if there are none, or a numbered sequence has a gap.
    """
    if is_pattern(path):
        return list(sequence_files(path, gaps).values())
    if not path.is_dir():
        return [path]
    files = [file for file in _listed(path) if file.suffix.lower() in PICTURES]
    if not files:
        raise InputError(
            f"{path}: holds no pictures; expected a folder of {what} frames "
            f"({', '.join(PICTURES[:3])}, ...)"
        )
    _check_one_series(path, files)
    return sorted(files, key=natural_order)


def _check_one_series(folder: Path, files: Sequence[Path]) -> None:
    """Refuse a folder that holds several sequences, whose pictures have each other's numbers."""
    series: dict[str, list[tuple[str, str, str]]] = {}
    for file in files:
        numbers = list(NUMBER.finditer(file.stem))
        if numbers:
            at = numbers[-1]
            name = file.stem[: at.start()], at[0], file.stem[at.end() :] + file.suffix
            around = f"{name[0]}#{name[2]}"
            if clock := _CLOCK.search(file.stem):  # as time code has it: one number
                around = f"{file.stem[: clock.start()]}#{file.suffix}"
            series.setdefault(around, []).append(name)
    longer = [names for names in series.values() if len(names) > 1]
    strays = len(files) - sum(map(len, longer))
    if len(longer) == 1 and strays and len(longer[0]) > 2 * strays:  # p.1, p.2 and q.1 are three
        own = {f"{before}{number}{after}" for before, number, after in longer[0]}
        stray = next(file for file in sorted(files) if file.name not in own)
        raise InputError(
            f"{stray}: is none of {_named(longer[0])} beside it; move it away, or name that "
            "sequence"
        )
    if len(longer) > 1 and numbers_of([file for file in files if NUMBER.search(file.stem)]) is None:
        named = " and ".join(map(_named, sorted(longer)[:2]))
        raise InputError(f"{folder}: holds several sequences ({named}); name one of them")


def _named(names: Sequence[tuple[str, str, str]]) -> str:
    """A sequence by what stands before its numbers, these, and what stands behind them."""
    digits = min(len(number) for _, number, _ in names)
    return f"{names[0][0]}%0{digits}d{names[0][2]}"


def sequence_files(pattern: Path, gaps: bool = False) -> dict[int, Path]:
    """The files of a sequence by their numbers, in order; those of a name with a star count from 1
    where it does not tell them apart by numbers.

    Raises:
        InputError: if there are none, or numbers between the first and the last are missing.
    """
    name, within = _asked(pattern.name)
    if _is_starred(name):
        files = _starred(pattern.with_name(name), name)
        gaps = True
    else:
        form = _pattern(pattern.with_name(name))
        matches = [(form.fullmatch(file.name), file) for file in _listed(pattern.parent)]
        files = {}
        for match, file in matches:
            number = None if match is None else int(match[1])
            if number in files:
                raise InputError(
                    f"{file}: has the number of {files[number].name}; move one of them away"
                )
            if number is not None:
                files[number] = file
    if within is not None:
        files = {number: file for number, file in files.items() if within[0] <= number <= within[1]}
    if not files:
        raise InputError(
            f"{pattern}: no file of this sequence exists; check the folder and the number of digits"
        )
    first, last = within or (min(files), max(files))
    missing = next((number for number in range(first, last + 1) if number not in files), None)
    if missing is not None and not gaps:
        raise InputError(
            f"{pattern}: number {missing} is missing between {first} and {last}; make it again, or "
            "name its folder instead"
        )
    return {number: files[number] for number in sorted(files)}


def asked_range(path: Path) -> tuple[int, int] | None:
    """The first and last number that a name asks for, as in "shot.%04d.png 1001-1100" or
    shot.1001-1100.png; None where it asks for all that are there."""
    return _asked(path.name)[1]


def _asked(name: str) -> tuple[str, tuple[int, int] | None]:
    """A name of a sequence without the range that it asks for, and that range."""
    ranged = _NUKE.fullmatch(name)
    if ranged is not None:
        return ranged[1], (int(ranged[2]), int(ranged[3]))
    between = _RANGE.fullmatch(name)
    if between is None or not has_no_place(name) or _is_starred(name):
        return name, None
    form = f"{between[1]}%0{len(between[2])}d{between[4]}"
    return form, (int(between[2]), int(between[3]))


def has_number(path: Path) -> bool:
    """Whether a name has a place for a number, as in shot.%04d.png or shot.####.png."""
    return not has_no_place(path.name)


def numbered_alike(name: str) -> str:
    """A name with its place for a number in one spelling: shot.####.png is shot.%04d.png."""
    place = _place(name)
    return name if place is None else f"{place[0]}%0{place[1] or 1}d{place[2]}"


def takes_from(path: Path, output: Path) -> bool:
    """Whether a path that is read means what an output writes, or pictures of it: by their names,
    since neither need be there."""
    folder, source = output.parent.resolve(), path.resolve()
    if source == output.resolve():
        return True
    if output.suffix.lower() not in PICTURES:
        return False
    if source == folder or source.parent != folder:
        return source == folder
    place = _place(output.name)
    one = output.name if place is None else f"{place[0]}{1:0{place[1] or 1}d}{place[2]}"
    if not is_pattern(path):
        return place is not None and _pattern(output).fullmatch(path.name) is not None
    ranged = _NUKE.fullmatch(path.name)
    name = ranged[1] if ranged else path.name
    if _is_starred(name):
        return fnmatch.fnmatchcase(one, name.replace("[", "[[]").replace("?", "[?]"))
    between = _RANGE.fullmatch(name) if has_no_place(name) else None
    wanted = _place(name) if between is None else (between[1], len(between[2]), between[4])
    if wanted is None:
        return False
    if place is None:  # one picture, with its number
        form = f"{wanted[0]}%0{wanted[1]}d{wanted[2]}"
        return _pattern(path.with_name(form)).fullmatch(one) is not None
    return (wanted[0], wanted[2]) == (place[0], place[2])


def has_no_place(name: str) -> bool:
    return _place(name) is None


def _place(name: str) -> tuple[str, int, str] | None:
    """What stands before and after a name's place for a number, and how many digits it has at
    least (0: as many as it needs)."""
    form = _FORM.fullmatch(name)
    if form is not None:
        return form[1], int(form[2] or 0), form[3]
    form = _HASHES.fullmatch(name)
    return None if form is None else (form[1], len(form[2]), form[3])


def _pattern(pattern: Path) -> re.Pattern[str]:
    place = _place(pattern.name)
    if place is None:
        raise InputError(
            f"{pattern}: is not a numbered sequence; write it as shot.%04d.png or shot.####.png"
        )
    before, width, after = place
    digits = f"[0-9]{{{width},}}" if width else "0|[1-9][0-9]*"
    if not before or before[-1] in "._":  # elsewhere a minus is a dash of the name
        digits += f"|-[0-9]{{{max(1, width - 1)},}}"
    return re.compile(f"{re.escape(before)}({digits}){re.escape(after)}")


def _is_starred(name: str) -> bool:
    return "*" in name and has_no_place(name)


def _starred(path: Path, name: str) -> dict[int, Path]:
    form = re.compile(fnmatch.translate(name.replace("[", "[[]").replace("?", "[?]")))
    found = sorted(
        (file for file in _listed(path.parent) if form.match(file.name)), key=natural_order
    )
    numbers = numbers_of(found) or range(1, len(found) + 1)
    return dict(zip(numbers, found, strict=True))


def _listed(folder: Path) -> list[Path]:
    """What lies in a folder, but for what macOS keeps beside files; nothing where there is none."""
    try:
        found = folder.iterdir() if folder.is_dir() else ()
        return [file for file in found if not file.name.startswith("._")]
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be read ({error.strerror}); check its permissions"
        ) from None


def told_numbers(path: Path, files: Sequence[Path]) -> tuple[int, ...] | None:
    """The numbers that pictures have in their names; None for one picture, and where nothing tells
    them apart."""
    if is_pattern(path) and not _is_starred(path.name):
        at = {file: number for number, file in sequence_files(path, gaps=True).items()}
        return tuple(at[file] for file in files) if all(file in at for file in files) else None
    return numbers_of(files) if is_pattern(path) or path.is_dir() else None


def older_pictures(output: Path, written: Sequence[int]) -> str | None:
    """What to say where pictures of the output's name lie there already and will not be replaced:
    they would be taken for the end of the sequence that is written."""
    if not has_number(output) or not written:
        return None
    form = _pattern(output)
    matches = [form.fullmatch(file.name) for file in _listed(output.parent)]
    older = sorted({int(match[1]) for match in matches if match is not None} - set(written))
    if not older:
        return None
    return (
        f"{output}: {len(older)} older pictures of this name lie there (number {older[0]}"
        + (f" to {older[-1]}" if len(older) > 1 else "")
        + "), which are not of this work; delete them"
    )


def pictures_there(output: Path) -> bool:
    """Whether any picture lies there that has a name of a numbered output, whatever its number."""
    form = _pattern(output)
    return output.exists() or any(form.fullmatch(file.name) for file in _listed(output.parent))


# --- reading


def probe_pictures(
    path: Path,
    what: str,
    colorspace: Matrix | None = None,
    rate: Fraction | None = None,
    space: LightSpace | None = None,
    gaps: bool = False,
) -> VideoInfo:
    """Look at pictures as at a video.

    Args:
        rate: frames a second; None takes what OpenEXR says, else 24.
        space: what their values stand for; None is what they say.
        gaps: let numbers be missing between the first and the last of a sequence.
    Raises:
        InputError: if there are none, the first cannot be read, one is none or has another size, or
            a numbered sequence has a gap.
    """
    files = picture_files(path, what, gaps)
    if is_exr(files[0]):
        info = probe_exr(files[0], path, space)
    else:
        container, _, turn = open_picture(files[0], what)
        with container:
            stream = container.streams.video[0]
            info = describe_stream(stream, path, colorspace, space)
        aspect = marks_of(picture_bytes(files[0], what)).aspect
        info = turned_info(dataclasses.replace(info, pixel_aspect=aspect), turn)
    check_sizes(files, what, (info.width, info.height))
    fps = rate or (info.fps if info.codec == "exr" else DEFAULT_RATE)
    return dataclasses.replace(
        info,
        files=tuple(files),
        numbers=told_numbers(path, files) or numbers_of(files) or tuple(range(1, len(files) + 1)),
        frames=len(files),
        fps=fps,
        duration_seconds=len(files) / float(fps),
    )


def check_sizes(files: Sequence[Path], what: str, size: tuple[int, int]) -> None:
    """Refuse pictures that are none, or of another size than the first one, by their heads: before
    the work, and not at the last of them.

    Args:
        what: their part in the work, for messages.
        size: width and height of the first, upright.
    """
    for file in files[1:]:
        found = exr_size(file, what) if is_exr(file) else upright_size(file, what)
        if found == size[::-1] != size and not is_exr(file):
            found = upright_size(file, what, whole=True)
        if found != size:
            raise InputError(
                f"{file}: is {found[0]}x{found[1]}, the first {what} is {size[0]}x{size[1]}; "
                "export the sequence in one form"
            )


def read_pictures(info: VideoInfo, first: int = 0) -> Iterator[tuple[int, av.VideoFrame, bool]]:
    """The pictures as frames, upright, each with its number, and whether light above 1 was cut off
    (OpenEXR).

    Raises:
        InputError: for a picture that cannot be read, or is not of the first one's kind.
    """
    assert info.files is not None
    for index, file in enumerate(info.files[first:], first):
        cut, turn = False, Turn()
        if is_exr(file):
            picture = ExrPicture(file, "frame")
            planes, cut = picture.display(info.associated, info.held, info.encoding.space)
            frame = frame_of(planes, "gbrap16le" if len(planes) == 4 else "gbrp16le")
        else:
            container, frame, turn = open_picture(file, "frame")
            container.close()
            frame = turned_frame(frame, turn)
        if (frame.width, frame.height, frame.format.name) != (
            info.width,
            info.height,
            info.pixel_format,
        ):
            raise InputError(
                f"{file}: is {frame.width}x{frame.height} {frame.format.name}, the first picture "
                f"is {info.width}x{info.height} "
                f"{info.pixel_format}; export the sequence in one form"
            )
        yield index, frame, cut


# --- writing


def check_picture_output(output: Path, inputs: list[Path]) -> None:
    """Refuse pictures that cannot be written, or would take the place of what is read."""
    if output.is_dir():
        raise InputError(
            f"{output}: is a folder; write the pictures' names as {output / 'frame.%04d.png'}"
        )
    if output.suffix.lower() not in PICTURES:
        raise InputError(
            f"{output}: unknown kind of picture '{output.suffix}'; expected one of "
            f"{', '.join(PICTURES)}"
        )
    check_folder(output)
    check_apart(output, inputs)
    name = _pattern(output) if has_number(output) else re.compile(re.escape(output.name))
    for source in inputs:
        if source.is_dir() and source.resolve() == output.parent.resolve():
            raise InputError(
                f"{output}: would lie among the pictures of {source}, which is an input; choose "
                "another folder"
            )
        for file in files_of(source) if source.exists() or is_pattern(source) else []:
            lies = (file.parent.resolve() / file.name, file.resolve())  # a link, and what it names
            if any(at.parent == output.parent.resolve() and name.fullmatch(at.name) for at in lies):
                raise InputError(
                    f"{output}: would be written over {file}, which is an input; choose another "
                    "name for the output"
                )


def numbered(output: Path, source: VideoInfo, index: int) -> Path:
    """The name of a frame's picture: with the number of the picture that it came from, or counted
    from 1."""
    place = _place(output.name)
    if place is None:
        return output
    before, width, after = place
    number = source.numbers[index] if source.numbers is not None else index + 1
    return output.with_name(f"{before}{number:0{width or 1}d}{after}")
