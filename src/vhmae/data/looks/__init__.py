"""Looks: what a camera, its light or a grade does to colors.

A look is a map of colors that goes ``strength`` of the way from the identity. ``LOOKS`` (kinds.py)
names every kind there is; training's mixture and evaluation's sets draw from it alone, so that what
is trained on and what is measured cannot drift apart. ``ADDED`` (spatial.py) names what is laid
over a foreground afterwards and may differ from place to place.
"""

from vhmae.data.looks.camera import CameraRendering, CameraScene, read_cameras
from vhmae.data.looks.enhancement import Enhancement
from vhmae.data.looks.kinds import IDENTITY, LOOKS, SHIFTS, Look, LookKind, LookSources, draw_look
from vhmae.data.looks.mixture import LookMixture, LookSampler
from vhmae.data.looks.parametric import ParametricLook, draw_hue_shifts
from vhmae.data.looks.photographic import PhotographicLook
from vhmae.data.looks.spatial import ADDED, Haze, HueShift, Lighting, Noise, lighting_gains

__all__ = [
    "ADDED",
    "IDENTITY",
    "LOOKS",
    "SHIFTS",
    "CameraRendering",
    "CameraScene",
    "Enhancement",
    "Haze",
    "HueShift",
    "Lighting",
    "Look",
    "LookKind",
    "LookMixture",
    "LookSampler",
    "LookSources",
    "Noise",
    "ParametricLook",
    "PhotographicLook",
    "draw_hue_shifts",
    "draw_look",
    "lighting_gains",
    "read_cameras",
]
