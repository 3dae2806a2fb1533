"""Composites with their answers, as others have made them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from vhmae.data.pairs import PairSampler, read_pairs
from vhmae.errors import InputError


def write(path: Path, level: int, size: int = 24) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = np.full((size, size + 8, 3), level, np.uint8)
    if any("mask" in part for part in path.parts[-4:]):
        picture = np.zeros((size, size + 8), np.uint8)
        picture[: size // 2] = 1  # every non-zero pixel counts
    assert cv2.imwrite(str(path), picture)


@pytest.fixture
def hyoutube(tmp_path: Path) -> Path:
    for frame in range(6):
        write(tmp_path / "real_videos" / "v" / f"{frame:05d}.png", 100 + frame)
        write(tmp_path / "foreground_mask" / "v" / "object_0" / f"{frame:05d}.png", 0)
        write(
            tmp_path / "synthetic_composite_videos" / "v" / "object_0" / f"{frame:05d}.png",
            200 + frame,
        )
    line = "real_videos\\v foreground_mask/v/object_0 synthetic_composite_videos/v/object_0\n"
    (tmp_path / "train_list.txt").write_text(line)
    return tmp_path


def levels(frames: np.ndarray) -> list[int]:
    return [int(frame[0, 0, 0]) for frame in frames]


@pytest.mark.parametrize(
    ("sample", "frames"),
    [(0, [0, 1, 2, 3]), (1, [0, 1, 2, 3]), (2, [1, 2, 3, 4]), (3, [2, 3, 4, 5]), (5, [2, 3, 4, 5])],
)
def test_a_sample_is_a_frame_with_its_neighbors(
    sample: int, frames: list[int], hyoutube: Path
) -> None:
    sampler = PairSampler(read_pairs(hyoutube, hyoutube / "train_list.txt"))
    assert len(sampler) == 6
    window = sampler.window(sample, 4, 16)
    assert levels(window.target) == [100 + frame for frame in frames]
    assert levels(window.composite) == [200 + frame for frame in frames]
    assert window.composite.shape == (4, 16, 16, 3)
    assert window.mask[:, :8].all()
    assert not window.mask[:, 8:].any()


def test_flips_and_turns_move_all_parts_alike(hyoutube: Path) -> None:
    sampler = PairSampler(read_pairs(hyoutube, hyoutube / "train_list.txt"))
    shares = {
        tuple(sampler.draw(np.random.default_rng(seed), 1, 16).mask[0].mean(axis=0) > 0.5)
        for seed in range(20)
    }
    assert len(shares) > 1  # turned, the mask is a half of columns
    one, again = (sampler.draw(np.random.default_rng(3), 2, 16) for _ in range(2))
    assert np.array_equal(one.composite, again.composite)


def test_iharmony4_is_read_by_its_names(tmp_path: Path) -> None:
    write(tmp_path / "HCOCO" / "real_images" / "c12.jpg", 90)
    write(tmp_path / "HCOCO" / "masks" / "c12_345.png", 0)
    write(tmp_path / "HCOCO" / "composite_images" / "c12_345_2.jpg", 180)
    (tmp_path / "IHD_train.txt").write_text("HCOCO/composite_images/c12_345_2.jpg\n")
    window = PairSampler(read_pairs(tmp_path, tmp_path / "IHD_train.txt"), augment=False).draw(
        np.random.default_rng(0), 2, 8
    )
    assert levels(window.target) == pytest.approx([90, 90], abs=2)
    assert levels(window.composite) == pytest.approx([180, 180], abs=2)


def test_any_list_of_three_files_is_read(tmp_path: Path) -> None:
    write(tmp_path / "real" / "a.png", 10)
    write(tmp_path / "masks" / "a.png", 0)
    write(tmp_path / "comp" / "a.png", 20)
    write(tmp_path / "comp" / "b.png", 20)
    lines = "\nreal/a.png masks/a.png comp/a.png\n\nreal/a.png masks/a.png comp/b.png\n"
    (tmp_path / "own.txt").write_text(lines)
    names = [clip.name for clip in read_pairs(tmp_path, tmp_path / "own.txt")]
    assert names == ["comp/a.png", "comp/b.png"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a b\n", "line 1 has 2 entries"),
        ("real/x.png m.png c.png\n", "no such picture"),
        ("a/composite_images/c.jpg m.png\n", "line 1 has 2 entries"),
        ("", "lists no composite"),
        ("HCOCO/composite_images/c1.jpg\n", "line 1: HCOCO/composite_images/c1.jpg is no name of"),
    ],
)
def test_what_is_wrong_with_a_list_is_told(text: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text(text)
    with pytest.raises(InputError, match=told):
        read_pairs(tmp_path, tmp_path / "list.txt")


def test_lists_of_either_kind_are_read_in_either_naming(hyoutube: Path) -> None:
    frames = [
        f"real_videos/v/0000{frame}.png foreground_mask/v/object_0/0000{frame}.png "
        f"synthetic_composite_videos/v/object_0/0000{frame}.png"
        for frame in range(6)
    ]
    (hyoutube / "frames.txt").write_text("\n".join(frames))
    for other, name in (
        ("Ground-truth", "real_videos"),
        ("Mask", "foreground_mask"),
        ("Composite", "synthetic_composite_videos"),
    ):
        (hyoutube / name).rename(hyoutube / other)
    (whole,) = read_pairs(hyoutube, hyoutube / "train_list.txt")
    assert len(whole.composite) == 6
    (joined,) = read_pairs(hyoutube, hyoutube / "frames.txt")
    assert joined.composite == whole.composite


def test_folders_may_have_dots_in_their_names(tmp_path: Path) -> None:
    for folder in ("real/v.1", "masks/v.1", "comp/v.1"):
        write(tmp_path / folder / "00000.png", 9)
    (tmp_path / "list.txt").write_text("real/v.1 masks/v.1 comp/v.1\n")
    assert [len(clip.composite) for clip in read_pairs(tmp_path, tmp_path / "list.txt")] == [1]


def test_an_empty_folder_of_a_composite_is_told(hyoutube: Path) -> None:
    folder = hyoutube / "synthetic_composite_videos" / "v" / "object_0"
    for picture in folder.iterdir():
        picture.unlink()
    with pytest.raises(InputError, match="object_0: holds no pictures"):
        read_pairs(hyoutube, hyoutube / "train_list.txt")


def test_lists_of_frames_are_lists_of_clips(hyoutube: Path) -> None:
    parts = "real_videos/v", "foreground_mask/v/object_0", "synthetic_composite_videos/v/object_0"
    lines = [" ".join(f"{part}/{frame:05d}.png" for part in parts) for frame in (3, 0, 5, 1, 2, 4)]
    (hyoutube / "train_frames.txt").write_text("\n".join(lines))
    (by_frames,), (by_folders,) = (
        read_pairs(hyoutube, hyoutube / name) for name in ("train_frames.txt", "train_list.txt")
    )
    for part in ("composite", "target", "mask"):
        assert getattr(by_frames, part) == getattr(by_folders, part)


def test_numbered_stills_of_a_folder_are_no_clip(tmp_path: Path) -> None:
    lines = []
    for number in range(3):
        parts = [f"{folder}/{number:04d}.png" for folder in ("real", "mask", "comp")]
        for part in parts:
            write(tmp_path / part, 100, 24 + number)
        lines.append(" ".join(parts))
    (tmp_path / "list.txt").write_text("\n".join(lines))
    assert [len(one.composite) for one in read_pairs(tmp_path, tmp_path / "list.txt")] == [1, 1, 1]
