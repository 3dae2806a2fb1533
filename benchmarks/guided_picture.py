"""Draws what a word is worth: docs/pictures/guided.jpg, one shot of the demo under a strong camera
rendering, as it came, as it is harmonized, and after one point and three.

python benchmarks/guided_picture.py --demo DEMO --data DATA [--scene N] [-o FILE]

DEMO is a folder that ``vhmae demo`` wrote, DATA holds looks/wb_maps.npz (docs/looks.md). Foreground
and background are seen by two renderings of one camera scene that no training draws; the truth is
the foreground in the background's rendering, and a user says its color at three places. Prints the
error that is left, as parts of the untouched composite's.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
import torch

from vhmae.arrays import Array, to_unit
from vhmae.data.looks import CameraRendering, read_cameras
from vhmae.engine.harmonizer import Harmonizer
from vhmae.engine.pointing import disk_mean
from vhmae.engine.settings import FOR_EVERYONE
from vhmae.guide.document import Color, Guide, Place, Point
from vhmae.video.matte import open_matte
from vhmae.video.pictures import write_still
from vhmae.video.probe import probe_video
from vhmae.video.reader import read_rgb_frames
from vhmae.work.preview import panel

ROOT = Path(__file__).parents[1]
FRAMES = range(0, 49, 6)
"""Of the demo's first shot."""
SCENE, RENDERINGS = 245, (3, 4)
"""A scene of the bank's dev split, and its renderings of the background and of the foreground."""
PLACES: tuple[Place, ...] = ((486.0, 122.0), (335.0, 335.0), (512.0, 385.0))
"""In the first frame: a cheek, a sleeve, a white strap."""
MARK = 7


def seen(frame: Array, look: CameraRendering) -> Array:
    """A frame (H, W, 3) uint8 by a rendering."""
    colors = look(torch.from_numpy(frame).float() / 255.0)
    rendered: Array = (colors.clamp(0.0, 1.0) * 255.0).round().byte().numpy()
    return rendered


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--demo", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--scene", type=int, default=SCENE)
    parser.add_argument("--renderings", type=int, nargs=2, default=RENDERINGS)
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "docs/pictures/guided.jpg")
    args = parser.parse_args()
    scenes = read_cameras(args.data / "looks" / "wb_maps.npz", "dev")
    scene = next(one for one in scenes if one.number == args.scene)
    behind, front = (scene.rendering(number) for number in args.renderings)
    composite, truths, masks = [], [], []
    info = probe_video(args.demo / "composite.mp4")
    for number, frame in zip(
        FRAMES, read_rgb_frames(args.demo / "composite.mp4", FRAMES), strict=True
    ):
        cover = to_unit(next(open_matte(args.demo / "mask.mp4").read(info, number)))[..., None]
        truth = seen(frame, behind)
        composite.append(np.rint(truth + cover * (seen(frame, front).astype(float) - truth)))
        truths.append(truth)
        masks.append(cover[..., 0])
    frames = [one.astype(np.uint8) for one in composite]
    said = [told_at(place, truths[0], masks[0]) for place in PLACES]
    pictures = [("before", frames[0], 0)]
    for name, count in (("harmonized", 0), ("one point", 1), ("three points", 3)):
        harmonizer = Harmonizer.from_pretrained(FOR_EVERYONE["weights"], cut_detection=False)
        harmonizer.guide(Guide(points=tuple(said[:count])))
        out = [harmonizer.step(*pair) for pair in zip(frames, masks, strict=True)]
        made = [*(one for one in out if one is not None), *harmonizer.flush()]
        print(f"{name}: {error(made, truths, masks) / error(frames, truths, masks):.3f}")
        pictures.append((name, made[0], count))
    panels = [panel(name, marked(picture, count)) for name, picture, count in pictures]
    write_still(args.output, np.vstack([np.hstack(panels[:2]), np.hstack(panels[2:])]))


def told_at(place: Place, truth: Array, mask: Array) -> Point:
    """What a user says who knows the color of a place, to a level."""
    mean = disk_mean(truth, place, mask >= 0.5)
    assert mean is not None, "a place of the foreground"
    red, green, blue = (round(255.0 * float(value)) / 255.0 for value in mean)
    color: Color = red, green, blue
    return Point(kind="target", at=place, to=color)


def error(frames: list[Array], truths: list[Array], masks: list[Array]) -> float:
    """Mean squared error inside the mask."""
    errors = [
        np.square(frame.astype(float) - truth)[mask >= 0.5].mean()
        for frame, truth, mask in zip(frames, truths, masks, strict=True)
    ]
    return float(np.mean(errors))


def marked(picture: Array, count: int) -> Array:
    """The picture with a ring about each place that was pointed at."""
    shown = picture.copy()
    for x, y in PLACES[:count]:
        for color, thickness in (((0, 0, 0), 4), ((255, 255, 255), 2)):
            center = round(x), round(y)
            cv2.circle(shown, center, MARK, color, thickness, cv2.LINE_AA)
    return shown


if __name__ == "__main__":
    main()
