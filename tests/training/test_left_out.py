"""What training leaves out: clips and stills that sets for choosing are made of."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.support.looks import luts
from vhmae.data.clips import Pack, source_group
from vhmae.data.synthesis import SceneRecipe
from vhmae.errors import InputError
from vhmae.training.recipe import DataConfig, LookStage
from vhmae.training.sources import (
    Batches,
    _pack_file,
    bank_file,
    iterate_batches,
    load_packs,
    make_sampler,
)
from vhmae.training.splitting import split_dev
from vhmae.training.validation import DevSet


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder, names in (("one", ("a__1", "a__2")), ("two", ("b__1", "b__2", "b__3"))):
        (tmp_path / folder).mkdir()
        for name in names:
            cv2.imwrite(str(tmp_path / folder / f"{name}.jpg"), np.full((40, 50, 3), 90, np.uint8))
    return tmp_path


def test_named_stills_are_taken_out_of_every_pack(root: Path) -> None:
    names = root / "names.txt"
    names.write_text("# kept for choosing\nb__2\na__1\n")
    config = DataConfig(root=str(root), folders=("one", "two"), shares=(0.5, 0.5), leave_out=names)
    first, second = load_packs(config, root / "cache")
    assert first.names == ["a__2"]
    assert second.names == ["b__1", "b__3"]
    assert [second.picture(index).shape for index in range(len(second))] == [(40, 50, 3)] * 2
    with pytest.raises(InputError, match=r"data\.leave_out"):
        load_packs(DataConfig(root=str(root), leave_out=root / "none.txt"), root / "cache")


def test_what_is_kept_for_validation_stays_there_when_it_is_left_out_as_well(root: Path) -> None:
    names, dev = root / "names.txt", root / "dev.txt"
    names.write_text("kept__x\nb__2\n")
    dev.write_text("kept__x\n")
    cv2.imwrite(str(root / "one" / "kept__x.jpg"), np.full((40, 50, 3), 90, np.uint8))
    config = DataConfig(
        root=str(root), folders=("one", "two"), shares=(0.5, 0.5), leave_out=names, dev_list=dev
    )
    packs, kept = split_dev(load_packs(config, root / "cache"), dev)
    assert [pack.names for pack in packs] == [["a__1", "a__2"], ["b__1", "b__3"]]
    assert kept.names == ["kept__x"]


def test_what_is_left_out_stays_out_where_no_clips_are_kept(root: Path) -> None:
    names = root / "names.txt"
    names.write_text("a__1\nb__2\n")
    config = DataConfig(
        root=str(root),
        folders=("one", "two"),
        shares=(0.5, 0.5),
        leave_out=names,
        dev_list=names,
        keep_dev=False,
    )
    first, second = load_packs(config, root / "cache")
    assert (first.names, second.names) == (["a__2"], ["b__1", "b__3"])


@pytest.mark.parametrize(("written", "plain"), [("a__1.jpg", "a__1"), ("one/a__2", "a__2")])
def test_names_of_files_are_refused_where_clips_are_meant(
    written: str, plain: str, root: Path
) -> None:
    names = root / "names.txt"
    names.write_text(f"{written}\nof_another_folder\n")
    config = DataConfig(root=str(root), folders=("one",), shares=(1.0,), leave_out=names)
    with pytest.raises(InputError, match=f"data.leave_out: {written}: .*write {plain}"):
        load_packs(config, root / "cache")


def test_a_folder_of_which_nothing_is_left_is_told(root: Path) -> None:
    names = root / "names.txt"
    names.write_text("a__1\na__2\n")
    config = DataConfig(root=str(root), folders=("one",), shares=(1.0,), leave_out=names)
    with pytest.raises(InputError, match="nothing of one is left to train on"):
        make_sampler(load_packs(config, root / "cache"), config, SceneRecipe())


def test_soft_masks_of_photographs_are_of_one_subject(root: Path) -> None:
    matte = np.zeros((40, 50), np.uint8)
    matte[10:30, 15:40] = 255
    for name, levels in (("a__1", cv2.GaussianBlur(matte, (0, 0), 2.0)), ("a__2", matte // 85)):
        cv2.imwrite(str(root / "one" / f"{name}.mask.png"), levels)
    cv2.imwrite(str(root / "two" / "b__1.png"), matte // 85 + np.eye(40, 50, dtype=np.uint8))
    plain = DataConfig(root=str(root), folders=("one", "two"), shares=(0.5, 0.5))
    first, second = load_packs(plain, root / "cache")
    for index in range(2):
        labels = first.labels(index)
        assert labels is not None
        assert np.unique(labels).tolist() == [0, 1]
        assert ((labels > 0) == (matte > 0)).mean() > 0.98
    numbered = second.labels(0)
    assert numbered is not None
    assert np.unique(numbered).tolist() == [0, 1, 3, 4]


def test_decoded_frames_are_those_of_what_is_left(root: Path) -> None:
    """Recipes that leave different names out of one folder share a cache."""
    (root / "three").mkdir()
    for level, name in ((20, "a__1"), (60, "b__1"), (100, "c__1")):
        picture = np.full((40 + level, 50, 3), level, np.uint8)
        cv2.imwrite(str(root / "three" / f"{name}.jpg"), picture)
    names, dev = root / "names.txt", root / "dev.txt"
    names.write_text("a__1\n")
    dev.write_text("a__1\n")
    plain = DataConfig(root=str(root), folders=("three",), shares=(1.0,), leave_out=names)
    kept = dataclasses.replace(plain, dev_list=dev)  # which is then left out after the packs

    def levels(pack: Pack) -> dict[str, int]:
        return {name: int(pack.picture(index).mean()) for index, name in enumerate(pack.names)}

    for config in (plain, kept, plain):
        packs, held = split_dev(
            load_packs(config, root / "cache"), config.dev_list, config.dev_list is not None
        )
        assert levels(packs[0]) == {"b__1": 60, "c__1": 100}
        assert levels(held) == ({"a__1": 20} if config.dev_list else {})


def test_a_bank_is_another_one_where_dev_clips_are_trained_on(root: Path) -> None:
    names = root / "dev.txt"
    names.write_text("a__1\n")
    plain = DataConfig(root=str(root), folders=("one",), shares=(1.0,), dev_list=names)
    configs = [dataclasses.replace(plain, keep_dev=keep) for keep in (True, False)]
    files = {bank_file(config, SceneRecipe(), LookStage(), 0) for config in configs}
    assert len(files) == 2


def test_a_bank_is_another_one_where_something_is_left_out(root: Path) -> None:
    names = root / "names.txt"
    names.write_text("b__2\n")
    plain = DataConfig(root=str(root), folders=("one",), shares=(1.0,))
    less = DataConfig(root=str(root), folders=("one",), shares=(1.0,), leave_out=names)
    files = {bank_file(config, SceneRecipe(), LookStage(), 0) for config in (plain, less)}
    assert len(files) == 2


def test_a_table_of_what_may_be_drawn_from_leaves_all_else_out(root: Path) -> None:
    """A free picture's namesake in another folder is not free."""
    (root / "free.csv").write_text("file,licence\none/a__2.jpg,CC0\ntwo/b__1.jpg,CC0\n")
    folders: dict[str, Any] = {"folders": ("one", "two"), "shares": (0.5, 0.5), "root": str(root)}
    free = DataConfig(**folders, only=root / "free.csv")
    first, second = load_packs(free, root / "cache")
    assert (first.names, second.names) == (["a__2"], ["b__1"])
    assert bank_file(free, SceneRecipe(), LookStage(), 0) != bank_file(
        DataConfig(**folders), SceneRecipe(), LookStage(), 0
    )


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("name\none/a__2.jpg\n", "no column file"),
        ("file\none/a__2.jpg\n", "lists nothing of the folder two"),
        ("file\ntwo/a__2.jpg\n", "lists nothing of the folder one"),
        (None, "cannot be read"),
    ],
)
def test_a_table_that_cannot_say_what_is_allowed_is_refused(
    root: Path, table: str | None, message: str
) -> None:
    if table is not None:
        (root / "free.csv").write_text(table)
    config = DataConfig(
        root=str(root), folders=("one", "two"), shares=(0.5, 0.5), only=root / "free.csv"
    )
    with pytest.raises(InputError, match=message):
        load_packs(config, root / "cache")


def test_what_a_worker_has_to_say_is_one_line() -> None:
    class NothingToDraw:
        def draw(self, rng: np.random.Generator, frames: int, size: int) -> None:
            raise InputError("scenes: no crop is usable; give other data")

    for workers in (0, 1):
        batches = Batches(NothingToDraw(), 0, range(2), 1, 32)
        with pytest.raises(InputError) as told:
            next(iterate_batches(batches, range(1), workers))
        assert str(told.value) == "scenes: no crop is usable; give other data"


def test_a_name_leaves_all_objects_of_a_video_out(root: Path) -> None:
    names = ["v0/object_1", "v0/object_2", "v1/object_1"]
    picture = cv2.imencode(".png", np.ones((8, 8), np.uint8))[1].ravel()
    made = Pack(names, np.arange(3), [picture] * 3, [picture] * 3)
    listed = root / "listed.txt"
    listed.write_text("v0\n")
    data = DataConfig(root=str(root), folders=("one",), shares=(1.0,), leave_out=listed)
    (root / "kept").mkdir()
    made.save(root / "kept" / _pack_file(data, "one"))
    assert load_packs(data, root / "kept")[0].names == ["v1/object_1"]


def test_a_pack_is_made_anew_where_its_folder_has_changed(root: Path) -> None:
    data = DataConfig(root=str(root), folders=("one",), shares=(1.0,))
    before = _pack_file(data, "one")
    assert _pack_file(data, "one") == before
    (root / "one" / "one-more.jpg").write_bytes(b"x")
    assert _pack_file(data, "one") != before


def test_objects_of_one_video_never_stand_on_both_sides() -> None:
    assert source_group("v0/object_1") == source_group("v0/object_2")
    assert source_group("a__b12/object_1") == source_group("a__b3")
    assert source_group("v0/object_1") != source_group("w0/object_1")


def test_a_subject_thinner_than_the_edge_that_is_taken_off_it_is_not_scored(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    for name, width in (("wire", 2), ("tree", 80)):
        labels = np.zeros((300, 320), np.uint8)
        labels[:, 100 : 100 + width] = 1
        cv2.imwrite(str(tmp_path / "one" / f"{name}.jpg"), np.full((300, 320, 3), 90, np.uint8))
        cv2.imwrite(str(tmp_path / "one" / f"{name}.png"), labels)
    config = DataConfig(root=str(tmp_path), folders=("one",), shares=(1.0,))
    (pack,) = load_packs(config, tmp_path / "cache")
    assert pack.names == ["tree", "wire"]
    scenes = DevSet(pack, luts(), 1, 64, pairs=2).scenes
    assert len(scenes["two_look"]) == 2
    assert all(scene.region.any() for kind in scenes.values() for scene in kind)
