"""Packs, evaluation sets on disk, and the HYouTube layout."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.support.looks import camera_maps, luts
from tests.support.pictures import read_picture
from tests.support.scenes import moving_scene, write_video
from vhmae.arrays import Array
from vhmae.color.cube import write_cube
from vhmae.color.lut import read_lut_bank
from vhmae.data.clips import (
    Pack,
    build_pack,
    list_clips,
    list_stills,
    read_mask_bits,
    source_group,
    write_mask_bits,
)
from vhmae.data.evaluation_sets import synthesize
from vhmae.data.hyoutube import read_list
from vhmae.data.job import SynthesisRecipe
from vhmae.data.looks import CameraRendering, CameraScene
from vhmae.errors import InputError


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    folder = tmp_path / "videos"
    folder.mkdir()
    for number, name in enumerate(("a__one", "a__two", "b__three")):
        frames, masks = moving_scene(9 + number, 96, 72)
        write_video(folder / f"{name}.mp4", frames, codec="libx264")
        write_mask_bits(masks, folder / f"{name}.mask.npz")
    return folder


@pytest.fixture
def cubes(tmp_path: Path) -> Path:
    folder = tmp_path / "luts"
    folder.mkdir()
    for number, lut in enumerate(luts(10), 1):
        write_cube(lut, folder / f"{number}.cube")
    return folder


def test_masks_come_back_from_bits(tmp_path: Path) -> None:
    mask = np.random.default_rng(0).random((3, 10, 13)) < 0.5
    write_mask_bits(mask, tmp_path / "m.npz")
    assert np.array_equal(read_mask_bits(tmp_path / "m.npz"), mask)


def test_a_pack_keeps_frames_and_masks(videos: Path, tmp_path: Path) -> None:
    pack = build_pack(videos, frames_per_video=4)
    pack.save(tmp_path / "p.npz")
    loaded = Pack.load(tmp_path / "p.npz")
    assert loaded.names == ["a__one", "a__two", "b__three"]
    assert [len(rows) for rows in loaded.frames_of] == [4, 4, 4]
    frames, masks = list_clips(videos)[2].read(4)
    first = int(loaded.frames_of[2][0])
    labels = loaded.labels(first)
    assert labels is not None
    assert np.array_equal(labels > 0, masks[0])
    assert np.abs(loaded.picture(first).astype(int) - frames[0]).mean() < 2.0
    part = loaded.subset({"a__two"})
    assert part.names == ["a__two"]
    assert len(part) == 4


@pytest.mark.parametrize("change", [-2, 2])
def test_a_mask_of_another_length_than_its_clip_is_refused(videos: Path, change: int) -> None:
    clip = list_clips(videos)[0]
    mask = read_mask_bits(clip.mask)
    longer = np.concatenate([mask, mask])[: len(mask) + change]
    write_mask_bits(longer, clip.mask)
    told = f"has {len(longer)} frames, {clip.video.name} {len(mask)}; pack a mask of the whole"
    with pytest.raises(InputError, match=told):
        build_pack(videos)


def test_what_lies_beside_clips_and_is_none_is_told(
    videos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build_pack(videos, frames_per_video=1)
    assert not capsys.readouterr().err
    (videos / "c.mkv").write_bytes(b"")
    (videos / "d.jpg").write_bytes(b"")
    build_pack(videos, frames_per_video=1)
    told = capsys.readouterr().err
    assert f"vhmae: warning: {videos}: 2 files left out, as c.mkv; clips are NAME.mp4" in told
    with pytest.raises(InputError, match=r"gone: no such folder; check `data\.folders`"):
        build_pack(videos / "gone")


def test_files_as_cameras_name_them_are_seen(videos: Path, cubes: Path, tmp_path: Path) -> None:
    stills = tmp_path / "stills"
    stills.mkdir()
    for name in ("IMG_1.JPG", "b.jpg", "IMG_3.PNG"):
        cv2.imwrite(str(stills / name), np.full((60, 80, 3), 90, np.uint8))
    labels = np.zeros((60, 80), np.uint8)
    labels[20:40, 20:40] = 1
    for name in ("IMG_1.PNG", "b.png", "IMG_3.mask.png"):
        cv2.imwrite(str(stills / name), labels)
    assert [still.name for still in list_stills(stills)] == ["IMG_1", "IMG_3", "b"]
    pack = build_pack(stills)
    assert pack.names == ["IMG_1", "IMG_3", "b"]
    for index in range(3):
        packed = pack.labels(index)
        assert packed is not None
        assert np.array_equal(packed, labels)
    (videos / "a__one.mp4").rename(videos / "a__one.MP4")
    assert [clip.name for clip in list_clips(videos)] == ["a__one", "a__two", "b__three"]
    for path in videos.glob("*.mp4"):
        path.unlink()
    assert build_pack(videos).names == ["a__one"]
    (cubes / "1.cube").rename(cubes / "1.CUBE")
    assert len(read_lut_bank(cubes)) == 10


def test_a_label_map_that_does_not_fit_its_picture_is_refused(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.jpg"), np.full((60, 40, 3), 90, np.uint8))
    cv2.imwrite(str(tmp_path / "a.png"), np.ones((40, 60), np.uint8))
    with pytest.raises(InputError, match=r"a.png: is 60x40 but its picture 40x60; leave"):
        build_pack(tmp_path)
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"a.png: cannot be read as a picture"):
        build_pack(tmp_path)


def test_takes_of_one_person_are_one_group() -> None:
    assert source_group("asl__again", ["asl"]) == source_group("asl__bird", ["asl"])
    assert source_group("asl__again") != source_group("asl__bird")
    assert source_group("asl__again1") == source_group("asl__again2")
    assert source_group("davis__bus") != source_group("davis__boat")


def test_two_looks_give_each_composite_its_own_target(
    videos: Path, cubes: Path, tmp_path: Path
) -> None:
    out = tmp_path / "two"
    assert synthesize(SynthesisRecipe(videos=videos, luts=cubes, frames=3), out) == 6
    samples = read_list(out)
    assert [sample.video for sample in samples] == ["a__one"] * 2 + ["a__two"] * 2 + [
        "b__three"
    ] * 2
    assert len({sample.real for sample in samples}) == 6
    composite, target, mask = samples[0].read()
    assert composite.shape == (3, 72, 96, 3)
    inside, outside = (np.abs(composite[m].astype(int) - target[m]).mean() for m in (mask, ~mask))
    assert outside < 1.5  # JPEG alone
    assert inside > 3 * outside
    described = json.loads((out / "synthesis.json").read_text())
    assert described["recipe"]["looks"] == "two"
    assert len(described["composites"]) == 6


def test_one_look_shares_the_untouched_target(videos: Path, cubes: Path, tmp_path: Path) -> None:
    out = tmp_path / "one"
    synthesize(
        SynthesisRecipe(videos=videos, luts=cubes, looks="one", shifts=("lut",), frames=3), out
    )
    samples = read_list(out)
    assert len({sample.real for sample in samples}) == 3
    frames, masks = list_clips(videos)[0].read(3)
    _, target, mask = samples[0].read()
    assert np.array_equal(mask, masks)  # clean edge 0
    assert np.abs(target.astype(int) - frames).mean() < 1.5
    names = {
        entry["B"]["name"]
        for entry in json.loads((out / "synthesis.json").read_text())["composites"]
    }
    assert names <= {"5", "10"}  # held out


def test_each_crop_of_a_video_has_a_target_of_its_own(
    videos: Path, cubes: Path, tmp_path: Path
) -> None:
    out = tmp_path / "cropped"
    recipe = SynthesisRecipe(videos=videos, luts=cubes, looks="one", crop=(0.1, 0.5), frames=2)
    synthesize(dataclasses.replace(recipe, shifts=("parametric",)), out)
    samples = read_list(out)
    assert len({sample.real for sample in samples}) == len(samples) > 2
    for sample in samples:
        composite, target, mask = sample.read()
        assert composite.shape == target.shape == (*mask.shape, 3)


def test_the_same_seed_gives_the_same_files(videos: Path, cubes: Path, tmp_path: Path) -> None:
    for name in ("x", "y"):
        synthesize(
            SynthesisRecipe(
                videos=videos,
                luts=cubes,
                frames=2,
                shifts=("lut", "parametric", "lighting"),
                seed=4,
            ),
            tmp_path / name,
        )
    files = sorted(
        p.relative_to(tmp_path / "x") for p in (tmp_path / "x").rglob("*") if p.is_file()
    )
    assert files
    for file in files:
        assert (tmp_path / "x" / file).read_bytes() == (tmp_path / "y" / file).read_bytes()


def test_named_clips_alone_are_taken_and_get_the_looks_they_have_among_all(
    videos: Path, tmp_path: Path
) -> None:
    (tmp_path / "names.txt").write_text("# two of three\nb__three\na__two\n")
    recipe = SynthesisRecipe(videos=videos, shifts=("parametric",), frames=2)
    assert synthesize(recipe, tmp_path / "all") == 6
    assert (
        synthesize(dataclasses.replace(recipe, clips=tmp_path / "names.txt"), tmp_path / "some")
        == 4
    )
    for sample in read_list(tmp_path / "some"):
        assert sample.video != "a__one"
        other = tmp_path / "all" / sample.composite.relative_to(tmp_path / "some")
        assert [path.read_bytes() for path in sorted(sample.composite.iterdir())] == [
            path.read_bytes() for path in sorted(other.iterdir())
        ]
    (tmp_path / "names.txt").write_text("c__four\n")
    with pytest.raises(InputError, match=r"names c__four, which is not in"):
        synthesize(dataclasses.replace(recipe, clips=tmp_path / "names.txt"), tmp_path / "none")


def test_a_full_folder_is_refused(videos: Path, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "old.txt").touch()
    with pytest.raises(InputError, match="is not empty"):
        synthesize(SynthesisRecipe(videos=videos, shifts=("parametric",)), tmp_path / "full")


def test_names_with_spaces_make_a_set_that_can_be_read(videos: Path, tmp_path: Path) -> None:
    for suffix in (".mp4", ".mask.npz"):
        (videos / f"a__one{suffix}").rename(videos / f"my clip{suffix}")
    recipe = SynthesisRecipe(videos=videos, shifts=("parametric",), per_video=1, frames=2)
    assert synthesize(recipe, tmp_path / "set") == 3
    names = [sample.name for sample in read_list(tmp_path / "set")]
    assert names == ["a__two/object_1", "b__three/object_1", "my_clip/object_1"]
    told = json.loads((tmp_path / "set" / "synthesis.json").read_text())["composites"]
    assert [one.get("clip") for one in told] == [None, None, "my clip"]


def test_clips_of_one_name_are_refused_before_anything_is_written(
    videos: Path, tmp_path: Path
) -> None:
    stills = tmp_path / "stills"
    stills.mkdir()
    cv2.imwrite(str(stills / "a__one.jpg"), np.full((60, 80, 3), 90, np.uint8))
    labels = np.zeros((60, 80), np.uint8)
    labels[20:40, 20:40] = 1
    cv2.imwrite(str(stills / "a__one.png"), labels)
    recipe = SynthesisRecipe(videos=videos, stills=stills, shifts=("parametric",), frames=2)
    with pytest.raises(InputError, match=r"a__one.jpg: .* of .*a__one.mp4; give one of them"):
        synthesize(recipe, tmp_path / "set")
    assert not (tmp_path / "set").exists()


def test_a_set_that_fails_leaves_nothing(videos: Path, tmp_path: Path) -> None:
    good = (videos / "b__three.mask.npz").read_bytes()
    (videos / "b__three.mask.npz").write_bytes(b"no mask")
    recipe = SynthesisRecipe(videos=videos, shifts=("parametric",), frames=2)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError, match="is not a packed mask"):
        synthesize(recipe, tmp_path / "set")
    assert sorted(tmp_path.rglob("*")) == before
    (videos / "b__three.mask.npz").write_bytes(good)
    assert synthesize(recipe, tmp_path / "set") == 6


def test_wrong_recipes_are_refused(videos: Path) -> None:
    with pytest.raises(InputError, match="did you mean parametric"):
        SynthesisRecipe(videos=videos, shifts=("parametrik",))
    with pytest.raises(InputError, match="LOW:HIGH"):
        SynthesisRecipe(videos=videos, shifts=("parametric",), strength=(0.8, 0.2))
    with pytest.raises(InputError, match="LUT bank"):
        SynthesisRecipe(videos=videos)


@pytest.mark.parametrize(
    "names",
    [
        ("real_videos", "foreground_mask", "synthetic_composite_videos"),
        ("Ground-truth", "Mask", "Composite"),
    ],
)
def test_both_namings_of_hyoutube_are_read(tmp_path: Path, names: tuple[str, str, str]) -> None:
    picture = np.full((8, 10, 3), 90, np.uint8)
    real, mask, composite = (tmp_path / name for name in names)
    for folder in (real / "v1", mask / "v1" / "object_0", composite / "v1" / "object_0"):
        folder.mkdir(parents=True)
    for number in (0, 5):
        cv2.imwrite(str(real / "v1" / f"{number:05d}.jpg"), picture)
        cv2.imwrite(str(composite / "v1" / "object_0" / f"{number:05d}.jpg"), picture + 20)
        cv2.imwrite(
            str(mask / "v1" / "object_0" / f"{number:05d}.png"), np.eye(8, 10, dtype=np.uint8)
        )
    (tmp_path / "test_list.txt").write_text(
        "real_videos\\v1 foreground_mask\\v1\\object_0 synthetic_composite_videos\\v1\\object_0\n"
    )
    sample = read_list(tmp_path)[0]
    pictures, targets, masks = sample.read()
    assert sample.video == "v1"
    assert len(pictures) == len(targets) == 2
    assert masks.sum() == 16  # every non-zero pixel
    (tmp_path / "test_list.txt").rename(tmp_path / "train_list.txt")
    pack = build_pack(tmp_path)  # for training: real frames and masks
    assert pack.names == ["v1/object_0"]
    assert len(pack) == 2
    assert np.abs(pack.picture(0).astype(int) - 90).max() <= 3
    labels = pack.labels(0)
    assert labels is not None
    assert np.count_nonzero(np.asarray(labels) > 0) == 8


def test_a_list_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    (tmp_path / "test_list.txt").write_text("a b\n")
    with pytest.raises(InputError, match="line 1 has 2 entries"):
        read_list(tmp_path)
    (tmp_path / "test_list.txt").write_text("a b c\n")
    with pytest.raises(InputError, match="do not belong together"):
        read_list(tmp_path)


def test_decoded_frames_are_kept_under_a_limit(videos: Path, tmp_path: Path) -> None:
    pack = build_pack(videos, frames_per_video=4)
    expected = [pack.picture(index) for index in range(len(pack))]
    size = expected[0].nbytes
    for limit, kept in ((0, 0), (5 * size + 1, 5), (1 << 30, 12)):
        again = build_pack(videos, frames_per_video=4)
        path = tmp_path / f"{limit}.pixels"
        assert again.cache_decoded(path, limit) == kept * size
        assert path.stat().st_size == kept * size
        other = build_pack(videos, frames_per_video=4)
        assert other.cache_decoded(path, limit) == kept * size  # from the file
        for one in (again, other):
            assert all(
                np.array_equal(one.picture(index), picture)
                for index, picture in enumerate(expected)
            )
    assert not list(tmp_path.glob(".*"))


def test_a_recipe_of_portraits_takes_stills_and_keeps_where_skin_is(
    videos: Path, tmp_path: Path
) -> None:
    stills = tmp_path / "stills"
    stills.mkdir()
    picture = np.full((60, 80, 3), (60, 80, 160), np.uint8)
    picture[10:50, 20:60] = (200, 150, 120)  # skin
    picture[30:50, 20:60] = (40, 120, 60)  # a green coat
    labels = np.zeros((60, 80), np.uint8)
    labels[10:50, 20:60] = 1
    cv2.imwrite(str(stills / "p__1.jpg"), picture[..., ::-1])
    cv2.imwrite(str(stills / "p__1.png"), labels)
    (tmp_path / "names.txt").write_text("p__1\n")
    recipe = SynthesisRecipe(
        videos=videos,
        stills=stills,
        clips=tmp_path / "names.txt",
        shifts=("photo",),
        per_video=2,
        skin=True,
    )
    assert synthesize(recipe, tmp_path / "set") == 2
    sample = read_list(tmp_path / "set")[0]
    _, _, mask = sample.read()
    assert mask.shape == (1, 60, 80)
    skin: Array = np.asarray(
        read_picture(
            tmp_path / "set" / "skin_mask" / "p__1" / "object_1" / "00000.png",
            cv2.IMREAD_GRAYSCALE,
        )
        > 0
    )
    assert not (skin & ~mask[0]).any()  # the mask was shrunk for the clean edge
    assert skin[20, 40]
    assert not skin[40, 40]
    labels[:] = 0
    cv2.imwrite(str(stills / "p__1.png"), labels)
    with pytest.raises(InputError, match=r"under 0.5% foreground; leave this picture out"):
        synthesize(recipe, tmp_path / "none")


def test_sets_of_camera_renderings_name_their_bank(videos: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="pass `cameras` FILE"):
        SynthesisRecipe(videos=videos, shifts=("camera",))
    np.savez(tmp_path / "maps.npz", maps=camera_maps(11).numpy())
    recipe = SynthesisRecipe(
        videos=Path("videos"), cameras=Path("maps.npz"), shifts=("camera",), frames=2
    ).below(tmp_path)
    assert synthesize(recipe, tmp_path / "set") == 6
    journal = json.loads((tmp_path / "set" / "synthesis.json").read_text())
    assert journal["recipe"]["camera_split"] == "val"
    for entry in journal["composites"]:
        scenes = {entry[side]["name"].partition(",")[0] for side in "AB"}
        assert len(scenes) == 1
        assert scenes <= {"scene 0", "scene 10"}


def test_maps_that_are_twins_make_no_composite_that_needs_nothing(
    videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    maps = camera_maps(11)
    maps[:, 3:] = maps[:, :1]  # so that many draws meet a twin
    np.savez(tmp_path / "maps.npz", maps=maps.numpy())
    recipe = SynthesisRecipe(
        videos=Path("videos"),
        cameras=Path("maps.npz"),
        shifts=("camera",),
        strength=(1.0, 1.0),
        frames=1,
        per_video=4,
    ).below(tmp_path)
    synthesize(recipe, tmp_path / "set")
    _draw_by_number_alone(monkeypatch)
    synthesize(recipe, tmp_path / "by-number")
    moved = 0
    for sample, plain in zip(
        read_list(tmp_path / "set"), read_list(tmp_path / "by-number"), strict=True
    ):
        composite, target, mask = sample.read()
        by_number, same_target, same_mask = plain.read()
        assert not np.array_equal(composite, target)
        assert np.array_equal(target, same_target)
        assert np.array_equal(mask, same_mask)
        if np.array_equal(by_number, target):
            moved += 1
        else:
            assert np.array_equal(composite, by_number)
    assert 0 < moved < 12


def _draw_by_number_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another number is another rendering, whatever its map."""

    def draw(
        scene: CameraScene, rng: np.random.Generator, other_than: int | None = None
    ) -> CameraRendering:
        count = len(scene.maps)
        if other_than is None:
            return scene.rendering(int(rng.integers(count)))
        return scene.rendering((other_than + 1 + int(rng.integers(count - 1))) % count)

    monkeypatch.setattr(CameraScene, "draw", draw)


@pytest.mark.parametrize(
    ("shift", "needs"),
    [("lut", "luts"), ("enhanced_lut", "luts"), ("blended_lut", "luts"), ("camera", "cameras")],
)
def test_looks_without_what_they_are_drawn_from_are_refused_before_the_work(
    shift: str, needs: str, videos: Path
) -> None:
    with pytest.raises(InputError, match=f"`shifts` {shift}: needs .*; pass `{needs}` FILE"):
        SynthesisRecipe(videos=videos, shifts=("photo", shift))


def test_a_set_of_real_composites_has_no_targets_and_tells_so_by_a_dash(tmp_path: Path) -> None:
    for folder in ("mask/a/1", "composite/a/1", "real/a/1", "composite/a/2"):
        (tmp_path / folder).mkdir(parents=True)
    lines = "- mask/a/1 composite/a/1\nreal/a/1 mask/a/1 composite/a/2\n"
    (tmp_path / "test_list.txt").write_text(lines)
    first, second = read_list(tmp_path)
    assert (first.real, second.real) == (None, tmp_path / "real/a/1")
    assert (first.name, first.video) == ("a/1", "a")
    (tmp_path / "test_list.txt").write_text(lines.replace("composite/a/2", "composite/a/1"))
    with pytest.raises(InputError, match="line 2 names composite/a/1 again, after line 1"):
        read_list(tmp_path)
