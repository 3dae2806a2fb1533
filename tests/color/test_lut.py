"""LUTs: look-up against a loop, .cube files, the split."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.interpolate import RegularGridInterpolator

from vhmae.color.cube import Cube, Split, write_cube
from vhmae.color.lut import Lut3D, apply_luts, in_split, read_cube, read_lut_bank
from vhmae.errors import InputError, ShapeError


def test_the_identity_changes_nothing() -> None:
    colors = torch.rand(100, 3)
    assert torch.allclose(Lut3D.identity(17)(colors), colors, atol=1e-6)


def test_matches_a_trilinear_loop() -> None:
    torch.manual_seed(0)
    n = 5
    table = torch.rand(n, n, n, 3)
    color = torch.tensor([0.31, 0.77, 0.13])
    place = color * (n - 1)
    expected = torch.zeros(3)
    for db in (0, 1):
        for dg in (0, 1):
            for dr in (0, 1):
                corner = [int(place[i]) + d for i, d in enumerate((dr, dg, db))]
                weight = 1.0
                for i, d in enumerate((dr, dg, db)):
                    share = float(place[i]) - int(place[i])
                    weight *= share if d else 1 - share
                expected += weight * table[corner[2], corner[1], corner[0]]
    assert torch.allclose(apply_luts(color.view(1, 1, 3), table[None])[0, 0], expected, atol=1e-5)


def test_colors_of_a_table_beyond_the_range_are_clipped_after_the_look_up() -> None:
    """Half of the way between -1 and 3 lies 1, and not the half of what each is clipped to."""
    table = torch.full((2, 2, 2, 3), -1.0)
    table[1] = 3.0  # where blue is 1
    found = Lut3D(table)(torch.tensor([[0.5, 0.5, 0.0], [0.5, 0.5, 0.5], [0.5, 0.5, 1.0]]))
    assert torch.equal(found, torch.tensor([[0.0] * 3, [1.0] * 3, [1.0] * 3]))
    assert apply_luts(torch.zeros(1, 1, 3), table[None]).eq(-1.0).all()


@pytest.mark.parametrize("shape", [(2, 2, 2), (2, 2, 3, 3), (2, 2, 2, 2), (2, 2, 2, 4)])
def test_a_table_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"a LUT is \(n, n, n, 3\), got"):
        Lut3D(torch.zeros(shape))


def test_cube_files_come_back_as_written(tmp_path: Path) -> None:
    lut = Lut3D(torch.rand(9, 9, 9, 3), "look")
    write_cube(lut, tmp_path / "look.cube")
    assert torch.allclose(read_cube(tmp_path / "look.cube").table, lut.table, atol=1e-6)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("LUT_1D_SIZE 2\n0 0 0\n1 1 1\n", "1-D"),
        ("LUT_3D_SIZE 2\n0 0 0\n", "8 rows but has 1"),
        ("LUT_3D_SIZE 2\n" + "0 0 0\n" * 9, "8 rows but has 9"),
        ("LUT_3D_SIZE 2\nDOMAIN_MAX 2 2 2\n" + "0 0 0\n" * 8, "domain"),
        ("LUT_3D_SIZE x\n", "cannot be read"),
        ("LUT_3D_SIZE 2\n" + "0 0 0\n" * 7 + "0 0\n", "line 9 has 2 of the three values"),
        ("LUT_3D_SIZE 2\n" + "0 0 0\n" * 7 + "0 nan 0\n", "1 value of it is not finite"),
        ("LUT_3D_SIZE 2\n" + "0 0 0\n" * 7 + "0 1e999 1e99\n", "2 values of it are not finite"),
    ],
)
def test_a_wrong_cube_file_is_refused_with_its_name(tmp_path: Path, text: str, reason: str) -> None:
    file = tmp_path / "bad.cube"
    file.write_text(text)
    with pytest.raises(InputError, match=f"bad.cube.*{reason}"):
        read_cube(file)


def test_held_out_luts_are_the_multiples_of_five() -> None:
    names = [f"lut{number:03d}" for number in range(1, 101)]
    heldout = [name for name in names if in_split(name, "heldout")]
    assert len(heldout) == 20
    assert heldout[0] == "lut005"
    assert not set(heldout) & {name for name in names if in_split(name, "train")}


def test_luts_without_numbers_are_held_out_by_a_hash() -> None:
    names = ["".join(letters) for letters in itertools.product("abcdef", repeat=3)]
    heldout = [name for name in names if in_split(name, "heldout")]
    assert 0.12 < len(heldout) / len(names) < 0.28
    assert {name for name in names if in_split(name, "train")} == set(names) - set(heldout)


def test_a_bank_and_a_folder_give_the_same_luts(tmp_path: Path) -> None:
    tables: dict[str, Any] = {
        f"lut{number:03d}": np.random.default_rng(number).random((4, 4, 4, 3), np.float32)
        for number in (1, 2, 5)
    }
    np.savez(tmp_path / "bank.npz", **tables)
    folder = tmp_path / "luts"
    folder.mkdir()
    for name, table in tables.items():
        write_cube(Lut3D(torch.from_numpy(table), name), folder / f"{int(name[3:])}.cube")
    splits: dict[Split, int] = {"train": 2, "heldout": 1, "all": 3}
    for split, count in splits.items():
        bank, cubes = read_lut_bank(tmp_path / "bank.npz", split), read_lut_bank(folder, split)
        assert len(bank) == len(cubes) == count
        for a, b in zip(bank, cubes, strict=True):
            assert torch.allclose(a.table, b.table, atol=1e-6)


def test_resampling_to_a_finer_grid_keeps_the_map() -> None:
    lut = Lut3D(torch.rand(5, 5, 5, 3))
    colors = torch.rand(200, 3)
    assert torch.allclose(lut.resampled(9)(colors), lut(colors), atol=1e-5)


def test_a_bank_with_values_that_are_no_numbers_is_refused(tmp_path: Path) -> None:
    tables = {name: Lut3D.identity(2).table.numpy() for name in ("lut001", "lut002")}
    tables["lut002"][0, 1, 0, 2] = np.nan
    np.savez(tmp_path / "bank.npz", **tables)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"bank.npz: lut002: 1 value of it is not finite"):
        read_lut_bank(tmp_path / "bank.npz")


def test_a_cube_is_straight_between_its_nodes() -> None:
    rng = np.random.default_rng(0)
    cube = Cube(rng.random((5, 5, 5, 3), np.float32), "any")
    colors = np.concatenate([rng.random((200, 3), np.float32), np.eye(3, dtype=np.float32)])
    axis = np.linspace(0.0, 1.0, 5)
    wanted = RegularGridInterpolator((axis,) * 3, cube.table)(colors[:, ::-1])
    assert cube.apply(colors) == pytest.approx(wanted, abs=1e-5)
    assert cube.apply(colors + 2.0) == pytest.approx(np.tile(cube.table[-1, -1, -1], (203, 1)))
