"""Small files that stand for more memory than there is are refused by their heads; memory that
nothing uses any more is given back."""

from __future__ import annotations

import ctypes
import json
import os
import struct
import sys
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zlib import compress, crc32

import numpy as np
import pytest
import torch
from PIL import Image

from tests.support.networks import TINY, model
from tests.support.scenes import moving_scene, write_video
from vhmae import memory
from vhmae.app.document import read_document
from vhmae.arrays import Thinned
from vhmae.color.lut import read_cube
from vhmae.data import aligned, pairs
from vhmae.data.clips import Pack, read_file_table, read_mask_bits, read_names
from vhmae.data.hyoutube import read_list
from vhmae.errors import InputError
from vhmae.memory import available_bytes, check_memory, give_back
from vhmae.model.weights import load_model, save_model
from vhmae.video.cuts import read_cuts
from vhmae.video.matte import open_matte
from vhmae.video.probe import probe_video
from vhmae.video.sequence import probe_pictures
from vhmae.video.still_sizes import stored_size
from vhmae.video.stills import picture_kind, read_stored
from vhmae.web.secrets import read_secrets
from vhmae.work import harmonize
from vhmae.work.jobs_table import read_jobs
from vhmae.work.sheets import read_sheet


def array(shape: tuple[int, ...], kind: str, data: bytes = b"") -> bytes:
    """The head of an .npy of any size, and the beginning of its values."""
    head = repr({"descr": kind, "fortran_order": False, "shape": shape}).encode()
    head += b" " * (-(len(head) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + data


@pytest.mark.parametrize(
    "read",
    [
        lambda path: read_jobs(path, {}),
        lambda path: read_cuts(path, 9),
        lambda path: read_names(path, "data.leave_out"),
        lambda path: read_file_table(path, "data.only"),
        lambda path: aligned.read_pairs(path),
        lambda path: pairs.read_pairs(path.parent, path),
        lambda path: read_list(path.parent, path),
        lambda path: read_cube(path),
        lambda path: read_document(path),
        lambda path: read_secrets(path),
        lambda path: read_sheet(path),
    ],
    ids=[
        *("table", "cuts", "names", "file table", "aligned", "pairs", "composites", "LUT"),
        *("project", "secrets", "sheet"),
    ],
)
def test_a_pipe_is_not_waited_for_and_a_device_not_read_to_its_end(
    read: Callable[[Path], object], tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(InputError, match="it is a pipe or a device"):
            read(path)


def archive(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name, data in members.items():
            file.writestr(f"{name}.npy", data)
    return path


def sides(*numbers: int) -> bytes:
    return array((3,), "<i8", struct.pack("<3q", *numbers))


@pytest.fixture
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available_bytes", lambda: 2**20)


def test_what_is_free_is_known() -> None:
    free = available_bytes()
    assert free is None or 0 < free < 2**50


@pytest.mark.usefixtures("little")
def test_what_needs_more_than_there_is_is_refused(tmp_path: Path) -> None:
    check_memory(tmp_path, 2**20, "wait")
    with pytest.raises(InputError, match=r"needs 3.0 GiB of memory, .* 0.0 GiB are free; wait"):
        check_memory(tmp_path, 3 * 2**30, "wait")


def test_a_shape_that_is_no_three_numbers_is_not_read(tmp_path: Path) -> None:
    path = archive(tmp_path / "m.npz", shape=array((1 << 40,), "<i8"), bits=array((1, 1, 1), "|u1"))
    with pytest.raises(InputError, match="three numbers"):
        open_matte(path)
    with pytest.raises(InputError, match="GiB of memory"):
        read_mask_bits(path)


def test_a_mask_of_huge_frames_is_refused(tmp_path: Path) -> None:
    side = 8_000_000
    bits = array((10, side, side // 8), "|u1")
    path = archive(tmp_path / "m.npz", shape=sides(10, side, side), bits=bits)
    for read in (open_matte, read_mask_bits):
        with pytest.raises(InputError, match="GiB of memory"):
            read(path)


def test_a_mask_that_holds_less_than_it_says_is_refused_by_its_head(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However much memory there is: nothing of it is unpacked."""
    monkeypatch.setattr(memory, "available_bytes", lambda: 2**50)
    side = 8_000_000
    bits = array((10, side, side // 8), "|u1", bytes(99))
    path = archive(tmp_path / "m.npz", shape=sides(10, side, side), bits=bits)
    with pytest.raises(InputError, match=r"m.npz: is damaged: holds 99 bytes of bits"):
        open_matte(path)


def test_a_pack_of_more_than_the_memory_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "p.npz", pictures=array((1 << 45,), "|u1"))
    with pytest.raises(InputError, match="GiB of memory"):
        Pack.load(path)


def changed(source: Path, path: Path, **values: Any) -> Path:
    """Weights with other words in their head; None takes the word away."""
    data = source.read_bytes()
    size = int.from_bytes(data[:8], "little")
    head = json.loads(data[8 : 8 + size])
    told = json.loads(head["__metadata__"]["model"])
    told.update(values)
    head["__metadata__"]["model"] = json.dumps(told)
    if not values:
        del head["__metadata__"]["model"]
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + size :])
    return path


@pytest.mark.parametrize(
    "values",
    [
        {"embed_dim": 3_000_000},
        {"decoder_dim": 96},
        {"encoder_depth": 1_000_000},
        {"encoder_depth": 3},
        {"clip_frames": 1_000_000_000},
        {"image_size": 2**24},
        {"pattern_dim": 2**40},
        {"head": "pixel"},
        {},
    ],
    ids=str,
)
def test_weights_that_do_not_fit_their_head_are_refused(
    values: dict[str, Any], tmp_path: Path
) -> None:
    save_model(model(), tmp_path / "w.safetensors", {})
    path = changed(tmp_path / "w.safetensors", tmp_path / "c.safetensors", **values)
    with pytest.raises(InputError, match=r"configuration|GiB of memory"):
        load_model(str(path))


def test_weights_whose_work_takes_more_memory_than_there_is_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four bytes of queries, keys, values and what comes of them, a patch and channel."""
    save_model(model(), tmp_path / "w.safetensors", {})
    patches, width = (TINY.image_size // TINY.patch_size) ** 2, TINY.embed_dim
    needed = 16 * TINY.clip_frames * patches * width
    monkeypatch.setattr(memory, "available_bytes", lambda: needed - 1)
    with pytest.raises(InputError, match="GiB of memory"):
        load_model(str(tmp_path / "w.safetensors"))
    monkeypatch.setattr(memory, "available_bytes", lambda: needed)
    assert load_model(str(tmp_path / "w.safetensors")).config == TINY


def test_weights_that_fit_come_back(tmp_path: Path) -> None:
    network = model()
    save_model(network, tmp_path / "w.safetensors", {}, half=False)
    loaded = load_model(str(tmp_path / "w.safetensors"))
    assert all(map(torch.equal, network.state_dict().values(), loaded.state_dict().values()))


def huge_png(path: Path) -> Path:
    """Eight gigapixels in a hundred bytes."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", crc32(name + body))

    head = struct.pack(">IIBBBBB", 90_000, 90_000, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", compress(bytes(99)))
    path.write_bytes(data + chunk(b"IEND", b""))
    return path


@pytest.mark.parametrize("read", [probe_pictures, read_stored])
def test_a_picture_of_more_than_the_memory_is_refused(
    read: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "available_bytes", lambda: 16 * 2**30)
    with pytest.raises(InputError, match=r"h.png: needs 120.\d GiB of memory"):
        read(huge_png(tmp_path / "h.png"), "composite")


@pytest.mark.parametrize("what", ["mask", "composite"])
def test_a_video_of_frames_that_do_not_fit_is_refused(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_video(tmp_path / "v.mkv", moving_scene(2, 640, 480)[0])
    monkeypatch.setattr(memory, "available_bytes", lambda: 2**20)
    with pytest.raises(InputError, match=r"v.mkv: needs 0.0 GiB of memory"):
        open_matte(path) if what == "mask" else probe_video(path)


@pytest.mark.parametrize(
    ("codec", "suffix", "form"),
    [
        ("libx264", ".mp4", "yuv420p"),
        ("libx265", ".mp4", "yuv420p10le"),
        ("libsvtav1", ".mp4", "yuv420p"),
        ("libvpx-vp9", ".webm", "yuv420p"),
        ("prores_ks", ".mov", "yuv422p10le"),
        ("cfhd", ".mov", "yuv422p10le"),
        ("png", ".mov", "rgb24"),
        ("qtrle", ".mov", "rgb24"),
        ("mjpeg", ".avi", "yuvj420p"),
        ("utvideo", ".avi", "gbrp"),
        ("gif", ".gif", "rgb8"),
    ],
)
def test_the_memory_of_a_video_is_asked_before_a_frame_is_decoded(
    codec: str, suffix: str, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_video(
        tmp_path / f"v{suffix}", moving_scene(2, 320, 192)[0], codec=codec, pix_fmt=form
    )
    probe_video(path)
    monkeypatch.setattr(memory, "available_bytes", lambda: 2**16)
    with pytest.raises(InputError, match=rf"v{suffix}: needs 0.0 GiB of memory"):
        probe_video(path)


def test_small_pictures_are_read_without_asking_for_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("RGB", (1920, 1080)).save(tmp_path / "p.png")
    monkeypatch.setattr(memory, "available_bytes", lambda: pytest.fail("asked"))
    assert read_stored(tmp_path / "p.png", "mask").shape == (1080, 1920, 3)


@pytest.mark.parametrize("kind", [".png", ".jpg", ".tif", ".bmp", ".webp"])
def test_sizes_are_told_by_the_first_bytes(kind: str, tmp_path: Path) -> None:
    for lossless in (False, True):
        picture = Image.new("RGB", (123, 45))
        picture.save(tmp_path / f"p{kind}", lossless=lossless)
        data = (tmp_path / f"p{kind}").read_bytes()
        assert stored_size(data, picture_kind(data) or "") == (123, 45)
        for cut in (15, 20, 24, 28):
            stored_size(data[:cut], picture_kind(data) or "")


def resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@pytest.mark.skipif(
    not (sys.platform.startswith("linux") and hasattr(ctypes.CDLL(None), "malloc_trim")),
    reason="another C library than glibc",
)
def test_what_was_freed_in_the_midst_of_a_heap_is_given_back() -> None:
    held = [np.ones(8000) for _ in range(1600)]  # 100 MiB, each too small for a place of its own
    last = held[-1].copy()
    before = resident_mib()
    del held
    give_back()
    assert resident_mib() < before - 80
    assert last.all()


@pytest.mark.parametrize("platform", ["win32", "darwin"])
def test_where_glibc_is_not_there_nothing_is_called(
    platform: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory._glibc.cache_clear()
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(ctypes, "CDLL", lambda name: pytest.fail("glibc was called"))
    try:
        memory.keep_one_heap()
        give_back()
    finally:
        memory._glibc.cache_clear()


def test_a_job_gives_memory_back_before_its_frames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames, masks = moving_scene(24, 64, 48)
    clip = write_video(tmp_path / "clip.mkv", frames)
    mask = write_video(tmp_path / "mask.mkv", 255 * masks.astype(np.uint8), pix_fmt="gray")
    given: list[list[Path]] = []
    out = tmp_path / "out.mkv"

    def look() -> None:
        given.append([path for path in tmp_path.glob(".out.mkv.part*") if path.stat().st_size])

    monkeypatch.setattr(harmonize, "give_back", look)
    harmonize.harmonize_video(clip, out, mask=mask, weights="free")
    assert given == [[]]  # once, while nothing was written


def test_rows_that_are_dropped_take_no_memory() -> None:
    kept = Thinned(1000)
    tracemalloc.start()
    try:
        for part in range(2000):
            kept.add(np.full((400, 6), part))
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    rows = np.concatenate(kept.parts)
    assert len(kept.parts) == 2000
    assert len(rows) <= 2 * kept.most  # one of each part is kept
    assert (rows[:, 0] == np.arange(2000)).all()
    assert held < 1 << 20
