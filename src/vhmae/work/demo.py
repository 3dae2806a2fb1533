"""``vhmae demo``: a composite of real photographs, harmonized by the ordinary way.

The photographs (public domain or CC0: NASA, SpaceX, Stefan van der Walt, Rachel Michetti) and the
cut-out mattes ship with this package. Two shots with slow camera moves: an astronaut before a
rocket, a cat before coffee.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from fractions import Fraction
from importlib import resources
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from vhmae.arrays import Array, to_unit
from vhmae.engine.harmonizer import Harmonizer
from vhmae.engine.settings import HarmonizerSettings
from vhmae.errors import InputError
from vhmae.matting.edges import foreground_colors
from vhmae.options import build_options, values_of
from vhmae.partial_output import whole_file
from vhmae.video.browser import add_bt709_stream, to_bt709
from vhmae.video.labels import write_label
from vhmae.video.pictures import write_still
from vhmae.video.reader import read_rgb_frames, to_uint8
from vhmae.video.stills import read_levels
from vhmae.work.harmonize import harmonize_job
from vhmae.work.job import HarmonizeJob

SubjectLook = Callable[[str, Array], Array]
"""Takes the file of a subject's photograph and its colors (H, W, 3) float32 in [0, 1], and gives
them as another camera would have."""
WIDTH, HEIGHT, FPS, SECONDS_A_SHOT = 854, 480, 25, 3
AUDIO_RATE = 48_000


@dataclasses.dataclass(frozen=True, kw_only=True)
class Layer:
    """A photograph that a camera moves over: place of its upper left corner, and scale, from start
    to end."""

    photograph: str
    """A file of ``assets/demo/photographs``; a subject's matte has its name, one folder up."""
    scale: tuple[float, float]
    left: tuple[float, float]
    top: tuple[float, float]

    def placement(self, share: float) -> Array:
        """The affine matrix (2, 3) at a share of the shot."""
        scale, left, top = (a + (b - a) * share for a, b in (self.scale, self.left, self.top))
        return np.array([[scale, 0.0, left], [0.0, scale, top]], np.float64)


# Layers are placed so that where a subject is cut by its photograph's border, the border lies
# outside the frame.
SHOTS = (
    (
        Layer(photograph="rocket.jpg", scale=(1.42, 1.36), left=(-40.0, -8.0), top=(-70.0, -60.0)),
        Layer(photograph="astronaut.png", scale=(1.0, 1.04), left=(250.0, 205.0), top=(-1.0, -8.0)),
    ),
    (
        Layer(photograph="coffee.png", scale=(1.46, 1.52), left=(-12.0, -40.0), top=(-40.0, -60.0)),
        Layer(photograph="chelsea.png", scale=(1.64, 1.7), left=(-2.0, -14.0), top=(-4.0, -14.0)),
    ),
)


def run_demo(output: Path, settings: HarmonizerSettings) -> dict[str, Any]:
    """Write ``composite.mp4``, ``mask.mp4``, ``harmonized.mp4`` and ``before_after.png``; returns
    the report."""
    # What is wrong with these is told before any work.
    network = Harmonizer.from_settings(settings).network
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{output}: cannot be made ({error.strerror}); choose another folder with -o"
        ) from None
    composite, mask, harmonized, sheet = (
        output / name
        for name in ("composite.mp4", "mask.mp4", "harmonized.mp4", "before_after.png")
    )
    write_inputs(composite, mask)
    files = {"composite": composite, "masks": (mask,), "output": harmonized}
    report = harmonize_job(build_options(HarmonizeJob, {**values_of(settings), **files}), network)
    _write_sheet(composite, harmonized, sheet)
    stages = ", ".join(
        f"{stage} {seconds:.1f} s" for stage, seconds in report["seconds_by_stage"].items()
    )
    report["lines"] = [
        f"{composite}: an astronaut before a rocket, a cat before coffee, {WIDTH}x{HEIGHT}, "
        f"{report['frames']} frames, with sound",
        f"{harmonized}: harmonized at {report['fps']:.1f} fps on {report['device']} in "
        f"{report['precision']} ({stages})",
        f"{sheet}: before and after; mean change {report['mean_change']:.1f} levels inside the "
        "mask, nothing outside it",
    ]
    return report


def _photograph(name: str) -> Array:
    """RGB (H, W, 3) uint8."""
    return _picture(f"photographs/{name}")


def _picture(name: str, color: bool = True) -> Array:
    file = Path(str(resources.files("vhmae") / "assets" / "demo" / name))
    if not file.is_file():
        raise InputError(
            f"{file}: the picture is missing from the installation; install the package again"
        )
    return read_levels(file, "picture", color)


def _cut_out(name: str) -> tuple[Array, Array]:
    """A photograph's subject: colors free of the old background, and alpha in [0, 1]."""
    alpha = to_unit(_picture(name, color=False))
    return foreground_colors(_photograph(name), alpha).astype(np.float32), alpha


def _as_it_is(photograph: str, colors: Array) -> Array:
    return colors


def _frames(look: SubjectLook = _as_it_is) -> Iterator[tuple[Array, Array]]:
    """Composite frames (H, W, 3) uint8 and mattes (H, W) uint8."""
    size = (WIDTH, HEIGHT)
    count = FPS * SECONDS_A_SHOT
    for behind, front in SHOTS:
        scenery = _photograph(behind.photograph).astype(np.float32)
        subject, alpha = _cut_out(front.photograph)
        subject = look(front.photograph, subject / 255.0).astype(np.float32) * 255.0
        for number in range(count):
            share = number / (count - 1)
            # Premultiplied, so that no color from outside the subject leaks in when it is scaled.
            layer = np.dstack([subject * alpha[..., None], alpha])
            moved = cv2.warpAffine(
                layer, front.placement(share), size, flags=cv2.INTER_CUBIC, borderValue=0
            )
            cover = np.clip(moved[..., 3], 0.0, 1.0)
            backdrop = cv2.warpAffine(
                scenery,
                behind.placement(share),
                size,
                flags=cv2.INTER_CUBIC,
                borderMode=cv2.BORDER_REPLICATE,
            )
            composite = moved[..., :3] + (1.0 - cover[..., None]) * backdrop
            yield to_uint8(composite / 255.0), to_uint8(cover)


def write_inputs(composite: Path, mask: Path, look: SubjectLook = _as_it_is) -> None:
    """Write the composite and its mask; ``look`` is how each subject was seen."""
    with (
        whole_file(composite) as part,
        whole_file(mask) as matte_part,
        av.open(f"file:{part.absolute()}", "w") as video,
        av.open(f"file:{matte_part.absolute()}", "w") as matte_video,
    ):
        picture = _add_stream(video, crf=14)
        sound = video.add_stream("aac", rate=AUDIO_RATE, layout="stereo")
        cover = _add_stream(matte_video, crf=8)
        for frame, matte in _frames(look):
            video.mux(picture.encode(to_bt709(frame)))
            matte_video.mux(cover.encode(to_bt709(np.repeat(matte[..., None], 3, axis=2))))
        video.mux(picture.encode(None))
        matte_video.mux(cover.encode(None))
        for packet in _chord(sound):
            video.mux(packet)


def _add_stream(container: Any, crf: int) -> Any:
    stream = add_bt709_stream(container, FPS, {"crf": str(crf), "preset": "veryfast"})
    stream.width, stream.height = WIDTH, HEIGHT
    return stream


def _chord(stream: Any) -> Iterator[Any]:
    """A soft chord for each shot, so that one hears that the sound is kept."""
    samples = AUDIO_RATE * SECONDS_A_SHOT
    at = np.arange(samples) / AUDIO_RATE
    swell = np.minimum(1.0, np.minimum(at, at[::-1]) / 0.25)
    tones = [
        sum(np.sin(2.0 * np.pi * pitch * at) for pitch in chord)
        for chord in ((220.0, 277.2, 329.6), (196.0, 246.9, 293.7))
    ]
    wave = np.concatenate([0.08 * swell * tone for tone in tones]).astype(np.float32)
    for start in range(0, len(wave), 1024):
        part = wave[start : start + 1024]
        frame = av.AudioFrame.from_ndarray(np.stack([part, part]), format="fltp", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = AUDIO_RATE, start, Fraction(1, AUDIO_RATE)
        yield from stream.encode(frame)
    yield from stream.encode(None)


def _write_sheet(composite: Path, harmonized: Path, sheet: Path) -> None:
    """Before and after, side by side, one row a shot."""
    count = FPS * SECONDS_A_SHOT
    picks = [number * count + count // 2 for number in range(len(SHOTS))]
    rows = []
    for before, after in zip(
        read_rgb_frames(composite, picks), read_rgb_frames(harmonized, picks), strict=True
    ):
        for picture, label in ((before, "before"), (after, "after")):
            write_label(picture, label, 16, HEIGHT - 18, 0.8)
        rows.append(np.hstack([before, np.full((HEIGHT, 6, 3), 255, np.uint8), after]))
    rule = np.full((6, rows[0].shape[1], 3), 255, np.uint8)
    picture = np.vstack([rows[0], rule, rows[1]])
    write_still(sheet, picture)
