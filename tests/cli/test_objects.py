"""Several objects in one composite, and a composite's own alpha channel as its mask."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests.support.networks import changing_model
from tests.support.pictures import read_picture
from tests.support.scenes import decode, moving_scene, write_video
from vhmae import harmonize_video
from vhmae.cli import main
from vhmae.data.clips import write_mask_bits
from vhmae.errors import InputError
from vhmae.model.weights import save_model
from vhmae.video.segments import SegmentedWriter
from vhmae.work import renderer

FRAMES = 30
OPTIONS: dict[str, Any] = {"precision": "fp32", "caution": 0.0}


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("objects")
    frames, masks = moving_scene(FRAMES, 96, 64)
    other = np.zeros_like(masks)
    other[:, 4:20, 60:90] = True
    other[10:14] = False
    write_video(folder / "in.mkv", frames)
    write_mask_bits(masks & ~other, folder / "disc.npz")
    write_mask_bits(other, folder / "block.npz")
    with av.open(str(folder / "alpha.mov"), "w") as container:
        stream = container.add_stream(
            "prores_ks", rate=25, options={"profile": "4444", "alpha_bits": "16"}
        )
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuva444p10le"
        for frame, mask in zip(frames, masks, strict=True):
            picture = np.dstack([frame, mask.astype(np.uint8) * 255])
            container.mux(
                stream.encode(
                    av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgba")
                )
            )
        container.mux(stream.encode(None))
    write_mask_bits(masks, folder / "same.npz")
    save_model(changing_model(), folder / "w.safetensors", {})
    return folder


def planes(path: Path) -> list[list[np.ndarray]]:
    return [list(frame) for frame in decode(path)]


def test_each_object_gets_the_change_that_it_gets_alone(work: Path, tmp_path: Path) -> None:
    weights = str(work / "w.safetensors")
    both = [work / "disc.npz", work / "block.npz"]
    report = harmonize_video(
        work / "in.mkv", tmp_path / "both.mkv", mask=both, weights=weights, **OPTIONS
    )
    assert report["frames"] == FRAMES
    for name, mask in (("disc", both[0]), ("block", both[1])):
        harmonize_video(
            work / "in.mkv", tmp_path / f"{name}.mkv", mask=mask, weights=weights, **OPTIONS
        )
    before = planes(work / "in.mkv")
    together, disc, block = (planes(tmp_path / f"{name}.mkv") for name in ("both", "disc", "block"))
    changed = [0, 0]
    for one, all_, first, second in zip(before, together, disc, block, strict=True):
        luma, joined, alone = (
            one[0].astype(int),
            all_[0].astype(int),
            (first[0].astype(int), second[0].astype(int)),
        )
        assert np.array_equal(joined - luma, alone[0] - luma + (alone[1] - luma))
        changed = [
            count + int((part != luma).any()) for count, part in zip(changed, alone, strict=True)
        ]
    assert changed == [FRAMES, FRAMES - 4]


def test_several_objects_go_on_after_a_stop(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renderer, "CHECKPOINT_FRAMES", 8)
    both, weights = [work / "disc.npz", work / "block.npz"], str(work / "w.safetensors")
    harmonize_video(work / "in.mkv", tmp_path / "whole.mkv", mask=both, weights=weights, **OPTIONS)
    write = SegmentedWriter.write

    def dying(self: SegmentedWriter, *frame: object) -> None:
        if self.frames == 20:
            raise RuntimeError("killed")
        write(self, *frame)  # type: ignore[arg-type]  # handed on as they came

    with monkeypatch.context() as patched:
        patched.setattr(SegmentedWriter, "write", dying)
        with pytest.raises(RuntimeError):
            harmonize_video(
                work / "in.mkv",
                tmp_path / "parts.mkv",
                mask=both,
                weights=weights,
                resume=True,
                **OPTIONS,
            )
    harmonize_video(
        work / "in.mkv", tmp_path / "parts.mkv", mask=both, weights=weights, resume=True, **OPTIONS
    )
    for one, other in zip(
        planes(tmp_path / "whole.mkv"), planes(tmp_path / "parts.mkv"), strict=True
    ):
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_composites_own_alpha_is_its_mask(work: Path, tmp_path: Path) -> None:
    weights = str(work / "w.safetensors")
    report = harmonize_video(
        work / "alpha.mov", tmp_path / "own.mkv", weights=weights, codec="ffv1", **OPTIONS
    )
    given = harmonize_video(
        work / "alpha.mov",
        tmp_path / "given.mkv",
        mask=work / "same.npz",
        weights=weights,
        codec="ffv1",
        **OPTIONS,
    )
    assert report["mean_change"] == pytest.approx(given["mean_change"], rel=0.05)
    own, same, before = (
        planes(tmp_path / "own.mkv"),
        planes(tmp_path / "given.mkv"),
        planes(work / "alpha.mov"),
    )
    for one, other, untouched in zip(own, same, before, strict=True):
        assert (
            np.abs(one[0].astype(int) - other[0]).max() <= 8
        )  # of 1023 or 4095: ProRes keeps alpha, but not the edge's last bits
        assert np.array_equal(one[3], untouched[3])


def test_without_mask_or_alpha_nothing_is_done(
    work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["harmonize", str(work / "in.mkv"), "-o", str(tmp_path / "x.mkv")]) == 2
    assert "--mask: missing" in capsys.readouterr().err
    write_mask_bits(np.zeros((FRAMES, 64, 96), bool), tmp_path / "none.npz")
    with pytest.raises(InputError, match="no foreground"):
        harmonize_video(
            work / "in.mkv", tmp_path / "x.mkv", mask=[work / "disc.npz", tmp_path / "none.npz"]
        )
    assert not (tmp_path / "x.mkv").exists()


def test_the_command_takes_several_masks(work: Path, tmp_path: Path) -> None:
    masks = ["--mask", str(work / "disc.npz"), "--mask", str(work / "block.npz")]
    out = ["-o", str(tmp_path / "x.mkv"), "--json", str(tmp_path / "r.json"), "-q"]
    assert (
        main(
            [
                "harmonize",
                str(work / "in.mkv"),
                *masks,
                *out,
                "--weights",
                str(work / "w.safetensors"),
                "--precision",
                "fp32",
            ]
        )
        == 0
    )
    assert json.loads((tmp_path / "r.json").read_text())["frames"] == FRAMES


def _plane(plane: Any) -> np.ndarray:
    rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
    return rows[:, : plane.width]


def test_a_preview_names_objects_as_their_masks_stand(
    work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    away = np.zeros((FRAMES, 64, 96), bool)
    away[-1, 50:60, 5:15] = True
    write_mask_bits(away, tmp_path / "away.npz")
    masks = [work / "disc.npz", tmp_path / "away.npz", work / "block.npz"]
    run = ["preview", str(work / "in.mkv"), "-o", str(tmp_path / "s.png"), "--frame", "3"]
    run += [word for mask in masks for word in ("--mask", str(mask))]
    assert main([*run, "--json", str(tmp_path / "r.json")]) == 0
    told = capsys.readouterr().out
    assert "object 1: " in told
    assert "object 3: " in told
    assert "object 2" not in told
    rows = json.loads((tmp_path / "r.json").read_text())["objects"]
    assert [row["object"] for row in rows] == [1, 3]
    alone = [*run[:6], "--mask", str(masks[0]), "--move", "both"]
    assert main(alone) == 0
    assert "background: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("x.mov", {"codec": "prores_ks"}),
        ("x.mkv", {"codec": "ffv1"}),
        ("x.%03d.png", {}),
        ("y.%03d.tif", {}),
    ],
)
def test_the_foreground_alone_has_its_matte_as_alpha_and_gives_the_composite_again(
    work: Path, tmp_path: Path, name: str, options: dict[str, Any]
) -> None:
    """Laid over the untouched composite by its alpha, the layer is the harmonized composite."""
    given = {**OPTIONS, "weights": str(work / "w.safetensors"), "mask": work / "disc.npz"}
    harmonize_video(work / "in.mkv", tmp_path / "whole.%03d.png", **given)
    harmonize_video(work / "in.mkv", tmp_path / name, **given, **options, layer="foreground")
    first = str(tmp_path / name).replace("%03d", "001")
    with av.open(first) as container:
        # planes of RGB: FFmpeg interpolates chroma for them, for "rgba" it repeats the samples
        planar = next(container.decode(video=0)).reformat(format="gbrap")
        green, blue, red, alpha = map(_plane, planar.planes)
        layer = np.dstack([red, green, blue, alpha]).astype(float)
    mask = moving_scene(FRAMES, 96, 64)[1][0]
    mask[4:20, 60:90] = False
    assert np.abs(layer[..., 3] - mask * 255.0).max() <= 2
    whole = read_picture(tmp_path / "whole.001.png")[..., ::-1]
    assert np.abs(layer[..., :3] - whole)[mask].mean() < (4.0 if name.endswith(".mov") else 1.5)


def test_a_layer_needs_an_encoder_with_alpha(work: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no alpha"):
        harmonize_video(
            work / "in.mkv",
            tmp_path / "x.mp4",
            mask=work / "disc.npz",
            layer="foreground",
            codec="libx264",
        )
    with pytest.raises(InputError, match="holds no alpha"):
        harmonize_video(
            work / "in.mkv", tmp_path / "x.%d.jpg", mask=work / "disc.npz", layer="foreground"
        )
    assert not list(tmp_path.iterdir())


def test_an_alpha_channel_that_is_lost_is_told(work: Path, tmp_path: Path) -> None:
    weights = str(work / "w.safetensors")
    lost = harmonize_video(
        work / "alpha.mov", tmp_path / "x.mp4", weights=weights, codec="libx264", **OPTIONS
    )
    assert any("alpha channel was left out" in warning for warning in lost["warnings"])
    kept = harmonize_video(
        work / "alpha.mov", tmp_path / "x.mkv", weights=weights, codec="ffv1", **OPTIONS
    )
    assert not any("alpha" in warning for warning in kept["warnings"])
