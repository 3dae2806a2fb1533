"""Looks: what a camera, its light or a grade does to colors.

A look is a map of colors that goes ``strength`` of the way from the identity. ``LOOKS`` (kinds.py)
names every kind there is, ``ADDED`` (spatial.py) what is laid over a foreground afterwards and may
differ from place to place. Training's mixture and evaluation's sets draw from both alone: the
former by shares, 0 unless a recipe says otherwise for most that is laid over, the latter by
``shifts``. Random Poisson blending (blending.py) is of training alone.
"""

from vhmae.data.looks.blending import Blending, blend_changes, draw_blendings
from vhmae.data.looks.camera import CameraRendering, CameraScene, read_cameras
from vhmae.data.looks.enhancement import Enhancement
from vhmae.data.looks.kinds import IDENTITY, LOOKS, SHIFTS, Look, LookKind, LookSources, draw_look
from vhmae.data.looks.mixture import LookMixture, LookSampler
from vhmae.data.looks.parametric import ParametricLook, draw_hue_shifts
from vhmae.data.looks.photographic import PhotographicLook
from vhmae.data.looks.spatial import (
    ADDED,
    Added,
    Blur,
    Compression,
    Haze,
    HueShift,
    Lighting,
    Noise,
    Placed,
    draw_layers,
    lighting_gains,
)

__all__ = [
    "ADDED",
    "IDENTITY",
    "LOOKS",
    "SHIFTS",
    "Added",
    "Blending",
    "Blur",
    "CameraRendering",
    "CameraScene",
    "Compression",
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
    "Placed",
    "blend_changes",
    "draw_blendings",
    "draw_hue_shifts",
    "draw_layers",
    "draw_look",
    "lighting_gains",
    "read_cameras",
]
