"""Picture sheets of methods side by side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.support.pictures import read_picture
from tests.support.scenes import moving_scene, write_video
from vhmae import cli
from vhmae.data.clips import write_mask_bits
from vhmae.errors import InputError
from vhmae.evaluation.compare import compare
from vhmae.evaluation.job import Comparison
from vhmae.evaluation.methods import find_method
from vhmae.evaluation.runner import evaluate
from vhmae.evaluation.sheet import CELL_HEIGHT, GAP, Row, make_sheet


def test_a_set_shows_input_methods_and_target(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "sheet.png"
    rows = compare(
        Comparison(output=out, methods=["mkl", "constant"], data=data, name="v2/object_1")
    )
    assert rows == 4
    sheet = read_picture(out)
    assert sheet.shape[0] > 4 * CELL_HEIGHT
    with pytest.raises(InputError, match="did you mean v2/object_1"):
        compare(Comparison(output=out, methods=["mkl"], data=data, name="v2/object_11"))


def test_results_of_a_whole_set_are_shown_by_their_folder(data: Path, tmp_path: Path) -> None:
    evaluate(data, find_method("mkl", data), ("fmse",), write=tmp_path / "kept")
    sheets = []
    for number, method in enumerate(
        ("a=mkl", f"a={tmp_path / 'kept'}", f"a=folder:{tmp_path / 'kept'}")
    ):
        out = tmp_path / f"{number}.png"
        assert compare(Comparison(output=out, methods=[method], data=data, name="v2/object_1")) == 3
        sheets.append(read_picture(out))
    assert all(np.array_equal(sheet, sheets[0]) for sheet in sheets)


def test_a_users_clip_is_shown_with_finished_results(tmp_path: Path) -> None:
    frames, masks = moving_scene(8, 96, 64)
    clip = write_video(tmp_path / "in.mkv", frames)
    result = write_video(tmp_path / "other.mkv", frames // 2)
    write_mask_bits(masks, tmp_path / "m.npz")
    out = tmp_path / "sheet.png"
    rows = compare(
        Comparison(
            output=out,
            methods=["reinhard", f"theirs={result}"],
            composite=clip,
            mask=tmp_path / "m.npz",
            frame=7,
        )
    )
    assert rows == 3
    assert out.exists()
    cases: tuple[tuple[dict[str, Any], str], ...] = (
        ({"frame": 8}, "frames 0 to 7"),
        ({"mask": None}, "needs COMPOSITE and `masks`"),
        ({"output": tmp_path / "none" / "s.png"}, "does not exist"),
        ({"output": tmp_path / "s.xyz"}, "cannot be written as a picture"),
    )
    for wrong, message in cases:
        with pytest.raises(InputError, match=message):
            compare(
                Comparison(
                    **{
                        "output": out,
                        "methods": ["mkl"],
                        "composite": clip,
                        "mask": tmp_path / "m.npz",
                        **wrong,
                    }
                )
            )
    assert not list(tmp_path.glob(".*"))


def test_the_error_map_is_dark_where_nothing_differs() -> None:
    frames, masks = moving_scene(2, 96, 64)
    sheet = make_sheet(
        [Row("same", frames), Row("brighter", (frames // 2 + 100).astype(np.uint8))],
        masks,
        frames,
        "error",
    )
    width = round(CELL_HEIGHT * 96 / 64)
    last = sheet[24:, -width:]
    assert last[: CELL_HEIGHT - 40].max() < 10
    assert last[CELL_HEIGHT + 20 : 2 * CELL_HEIGHT - 40].mean() > 60


def test_fine_lines_of_large_frames_are_averaged() -> None:
    side = 4 * CELL_HEIGHT
    frames, masks = np.zeros((2, side, side, 3), np.uint8), np.ones((2, side, side), bool)
    frames[:, ::4] = 200
    cell = make_sheet([Row("", frames)], masks, frames, "error")[24:, :CELL_HEIGHT]
    assert np.abs(cell[: CELL_HEIGHT // 2].astype(int) - 50).max() <= 1


def test_a_sheets_paper_is_white() -> None:
    """Beside the headings, between cells and below rows; the cells are black."""
    frames, masks = np.zeros((2, 64, 96, 3), np.uint8), np.ones((2, 64, 96), bool)
    sheet = make_sheet([Row("", frames)], masks, frames, "error")
    width = round(CELL_HEIGHT * 96 / 64)
    paper = np.ones(sheet.shape[:2], bool)
    for column in range(4):
        left = column * (width + GAP)
        paper[24 : 24 + CELL_HEIGHT, left : left + width] = False
        paper[:24, left : left + 200] = False  # a heading
    assert paper[:24].any()
    assert (sheet[paper] == 255).all()


def test_a_sheet_never_takes_an_inputs_place(tmp_path: Path) -> None:
    frames, masks = moving_scene(1, 96, 64)
    clip = write_video(tmp_path / "in.mkv", frames)
    cv2.imwrite(str(tmp_path / "m.png"), masks[0].astype(np.uint8) * 255)
    with pytest.raises(InputError, match="is one of the inputs"):
        compare(
            Comparison(
                output=tmp_path / "m.png", methods=["mkl"], composite=clip, mask=tmp_path / "m.png"
            )
        )
    # A clip of one frame shows it twice.
    assert (
        compare(
            Comparison(
                output=tmp_path / "s.png", methods=["mkl"], composite=clip, mask=tmp_path / "m.png"
            )
        )
        == 2
    )


def test_masks_that_do_not_fit_the_clip_are_refused(tmp_path: Path) -> None:
    frames, masks = moving_scene(8, 96, 64)
    clip = write_video(tmp_path / "in.mkv", frames)
    write_mask_bits(masks[:5], tmp_path / "short.npz")
    write_mask_bits(np.zeros_like(masks), tmp_path / "empty.npz")
    told = {"short": "has 5 frames but in.mkv has 8", "empty": "shows no foreground around frame 4"}
    for name, message in told.items():
        with pytest.raises(InputError, match=f"{name}.npz: {message}"):
            compare(
                Comparison(
                    output=tmp_path / "sheet.png",
                    methods=["mkl"],
                    composite=clip,
                    mask=tmp_path / f"{name}.npz",
                )
            )
    assert not (tmp_path / "sheet.png").exists()


def test_pictures_are_compared_and_what_the_mask_is_taken_for_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frames, masks = moving_scene(4, 96, 64)
    for number, frame in enumerate(frames, 7):
        for name, picture in (("p", frame), ("r", frame // 2)):
            cv2.imwrite(str(tmp_path / f"{name}.{number:04d}.png"), picture[..., ::-1])
    colored = masks[..., None] * np.array((0, 255, 0), np.uint8)
    mask = write_video(tmp_path / "m.mkv", colored, codec="libx264")
    call = ["compare", str(tmp_path / "p.%04d.png"), "--mask", str(mask), "--frame", "1"]
    call += ["--method", "mkl", "--method", f"theirs={tmp_path / 'r.%04d.png'}"]
    call += ["-o", str(tmp_path / "sheet.png"), "--json", str(tmp_path / "r.json")]
    assert cli.main(call) == 0
    (told,) = json.loads((tmp_path / "r.json").read_text())["warnings"]
    assert "is of one color on black" in told
    assert told in capsys.readouterr().err
