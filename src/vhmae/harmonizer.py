"""The harmonizer: frames in, frames out, the network asked once a window of key frames.

The network sees small frames at key frames only; its transforms are smoothed over time and interpolated between them.
With ``lookahead`` a frame waits for transforms from its future (files); with none, frames leave at once (live).
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import torch

from vhmae.errors import InputError, did_you_mean
from vhmae.guide.telling import Telling
from vhmae.model.heads import Drawing, Transform
from vhmae.model.precision import DTYPES, Precision, autocast, choose_device, choose_precision
from vhmae.model.vhmae import VHMAE
from vhmae.model.weights import DEFAULT, load_model
from vhmae.rendering import KEPT, ColorChange, FrameTransform, KeepingChange, Kept, PixelChange, render_rgb
from vhmae.smoothing import SMOOTHING_FRAMES, Estimate, smoothed
from vhmae.survey import Survey, Thumbnail, check_frame, shows_background, small_mask, thumbnail_of
from vhmae.video.cuts import THUMBNAIL, CutDetector

Array = np.ndarray
Quality = Literal["fast", "balanced", "best"]
KeyFrame = tuple[int, Array, Array]
"""Index, frame and mask at the network's size."""
FindBackground = Callable[[Any], tuple[Thumbnail, Array]]
"""Payload -> thumbnail and matte of the next frame of its shot that shows background."""

STRIDES: dict[str, int] = {"fast": 12, "balanced": 6, "best": 3}
"""Frames from one key frame to the next. ``best`` looks at whole shots beforehand, too, where frames can be gone through twice."""
CAUTION_LEVELS = 16.0
"""Half of a change this small, in levels of 255, is left undone: small ones are as often wrong as right
(docs/decisions.md, "caution" and "shown again")."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class HarmonizerSettings:
    """How to harmonize, and where: what every way of running the harmonizer has in common."""

    quality: Quality = "balanced"
    strength: float = 1.0
    caution: float = CAUTION_LEVELS
    keep: tuple[Kept, ...] = ()
    """What of the foreground's colours is left as it is: "hue", "luma", "saturation"."""
    cut_detection: bool = True
    weights: str = DEFAULT
    device: str = "auto"
    precision: Precision | Literal["auto"] = "auto"
    threads: int | None = None

    def load(self, **more: Any) -> Harmonizer:
        """A harmonizer by these settings; ``more`` are further ones of :class:`Harmonizer`, or others in their place."""
        own = {field.name: getattr(self, field.name) for field in dataclasses.fields(HarmonizerSettings)}
        settings = {**own, **more}
        if "model" not in more:
            return Harmonizer.from_pretrained(**settings)
        if self.threads:
            torch.set_num_threads(self.threads)
        del settings["weights"], settings["threads"]
        return Harmonizer(**{**settings, "device": choose_device(self.device)})


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """A stream's memory: numbers for JSON, and arrays."""

    numbers: dict[str, Any]
    arrays: dict[str, Array]


class Released(NamedTuple):
    """A frame that is ready."""

    payload: Any
    change: ColorChange | None
    """What is to be done to it; None where there is no foreground."""
    shot: int
    """Number of its shot, from 0."""


class Harmonizer:
    """Harmonizes a stream of frames.

    ``latency_frames`` is the number of frames by which the output lags behind the input: 0 with ``lookahead=0``.
    """

    def __init__(
        self,
        model: VHMAE,
        *,
        device: torch.device | str = "cpu",
        precision: Precision | Literal["auto"] = "auto",
        quality: Quality = "balanced",
        strength: float = 1.0,
        caution: float = CAUTION_LEVELS,
        lookahead: int | None = None,
        cut_detection: bool = True,
        find_background: FindBackground | None = None,
        reference: Array | None = None,
        keep: Sequence[Kept] = (),
    ) -> None:
        """Make a harmonizer of a model.

        Args:
            lookahead: frames that the output may lag behind; None takes what the smoothing can use, 0 is live.
            cut_detection: False takes the stream as one shot, but for the cuts that :meth:`push` is told.
            find_background: asked where a frame must be rendered before its shot has shown any background (files can be
                read ahead); without it such frames stay untouched.
            reference: (H, W, 3) float32 RGB in [0, 1]: a picture to harmonize to, in the place of the composite's background.
            keep: what of the foreground's colours is left as it is.
        """
        if quality not in STRIDES:
            raise InputError(f"--quality {quality}: unknown{did_you_mean(quality, STRIDES)}; expected fast, balanced or best")
        if not 0.0 <= strength <= 1.0:
            raise InputError(f"--strength {strength}: out of range; expected 0 (untouched) to 1 (full)")
        if not 0.0 <= caution <= 255.0:
            raise InputError(f"--caution {caution}: out of range; expected 0 (bold) to 255 levels")
        for name in keep:
            if name not in KEPT:
                raise InputError(f"--keep {name}: unknown{did_you_mean(name, KEPT)}; expected {', '.join(KEPT)}")
        if lookahead is not None and lookahead < 0:
            raise InputError(f"lookahead={lookahead}: expected 0 (live) or a number of frames")
        self.device = torch.device(device)
        self.precision: Precision = choose_precision(precision, self.device)
        self.model = model.to(self.device).eval()
        if model.embed.weight.dtype not in (torch.float32, DTYPES[self.precision]):
            model.hold_at(DTYPES[self.precision])  # it was held for another harmonizer
        self.quality = quality
        self.strength = strength
        self.caution = caution
        # Colour maps hold between key frames; drawn pixels belong to one frame alone.
        self.stride = STRIDES[quality] if model.config.head == "photometric" else 1
        self._window_frames = self.stride * model.config.clip_frames
        self.latency_frames = self._window_frames + round(SMOOTHING_FRAMES) if lookahead is None else lookahead
        self.cut_detection = cut_detection
        self.find_background = find_background
        size = model.config.image_size
        self._reference = None if reference is None else thumbnail_of(reference, size, size)
        self.keep = tuple(keep)
        self.borrowed = 0
        """Frames without background, which took the transform of the nearest frame that has some."""
        self.unread = 0
        """Frames of shots that had shown no background in time: they stay untouched."""
        self.told = Telling()
        self.reset()

    @classmethod
    def from_pretrained(cls, weights: str = DEFAULT, *, device: str = "auto", threads: int | None = None, **options: Any) -> Harmonizer:
        """Load weights by packaged name or path; the model is held in the harmonizer's precision.

        Args:
            device: "auto", "cpu", "cuda", "cuda:N" or "mps".
            threads: CPU threads; None leaves them as they are.
            options: what :class:`Harmonizer` takes (``quality``, ``strength``, ``lookahead``, ...).
        Raises:
            InputError: for unknown weights, a device that is not there, or a value out of range.
        """
        if threads:
            torch.set_num_threads(threads)
        harmonizer = cls(load_model(weights), device=choose_device(device), **options)
        harmonizer.model.hold_at(DTYPES[harmonizer.precision])
        return harmonizer

    def reset(self) -> None:
        """Forget the stream: another one begins."""
        self._cuts = CutDetector()
        self._shot = 0
        self._index = 0
        self._last_key: int | None = None
        self._window: list[KeyFrame] = []
        self._estimates: deque[Estimate] = deque()
        self._pending: deque[tuple[int, int, bool, Any]] = deque()
        self.surveyed: Survey | None = None
        self.told.restart()

    def guide(self, change: Array, shot: int | None = None) -> None:
        """Add a change (30,) of ``guide.decision`` to the maps of a shot (None: of all); said while frames come, it is blended in."""
        if self.model.config.head != "photometric":
            raise InputError("--guide: these weights draw pixels; take weights with a photometric head")
        self.told.say(change, shot, self._index - len(self._pending) if self._index else -math.inf)

    def answer(self, thumbnail: Thumbnail, matte: Array, shot: int = 0) -> FrameTransform | PixelChange:
        """What the network says of one frame by itself, without guide and strength; the stream is left as it is."""
        return self._estimate(shot, [(0, *self._see(thumbnail, matte))])[0].change

    # --- what a stopped run needs to go on

    def snapshot(self) -> Snapshot:
        """Everything the stream remembers, but for the payloads that wait: those are read again."""
        numbers = {
            "shot": self._shot, "index": self._index, "last_key": self._last_key, "borrowed": self.borrowed, "unread": self.unread,
            "pending": [[shot, index, foreground] for shot, index, foreground, _ in self._pending],
            "window": [index for index, _, _ in self._window],
            "estimates": [[one.shot, one.index] for one in self._estimates],
        }  # fmt: skip
        arrays = self._cuts.state()
        for place, (_, frame, mask) in enumerate(self._window):
            arrays |= {f"window{place}.frame": frame, f"window{place}.mask": mask}
        for place, estimate in enumerate(self._estimates):
            arrays |= {f"estimate{place}.{name}": value for name, value in dataclasses.asdict(estimate.change).items()}
        return Snapshot(numbers, arrays)

    @property
    def waiting(self) -> list[Any]:
        """The payloads that wait, in order."""
        return [payload for *_, payload in self._pending]

    def restore(self, snapshot: Snapshot, payloads: Sequence[Any]) -> None:
        """Go on from a snapshot; ``payloads`` are those that waited then, in order."""
        numbers, arrays, surveyed = snapshot.numbers, snapshot.arrays, self.surveyed
        self.reset()
        self.surveyed = surveyed
        self._cuts.restore(arrays)
        self._shot, self._index, self._last_key = numbers["shot"], numbers["index"], numbers["last_key"]
        self.borrowed, self.unread = numbers["borrowed"], numbers["unread"]
        pending = zip(numbers["pending"], payloads, strict=True)
        self._pending = deque((shot, index, foreground, payload) for (shot, index, foreground), payload in pending)
        self._window = [(index, arrays[f"window{at}.frame"], arrays[f"window{at}.mask"]) for at, index in enumerate(numbers["window"])]
        kind = FrameTransform if self.model.config.head == "photometric" else PixelChange
        for at, (shot, index) in enumerate(numbers["estimates"]):
            fields = {field.name: arrays[f"estimate{at}.{field.name}"] for field in dataclasses.fields(kind)}
            self._estimates.append(Estimate(shot, index, kind(**fields)))

    # --- the stream

    def step(self, frame: Array, mask: Array) -> Array | None:
        """Take the next frame; return the frame that is ready, or None while the stream fills.

        Args:
            frame: (H, W, 3) RGB, uint8 or float32 in [0, 1].
            mask: (H, W) bool, or a matte in [0, 1] (float) or 0-255 (uint8).
        Raises:
            ShapeError: for other shapes, types or values.
        """
        check_frame(frame, mask)
        ready = self.push((frame, mask), functools.partial(thumbnail_of, frame), mask)
        return _rendered(*ready[0][:2]) if ready else None

    def flush(self) -> list[Array]:
        """The frames that are still waiting, in order; the stream begins anew afterwards."""
        return [_rendered(payload, transform) for payload, transform, _ in self.drain()]

    def harmonize(self, frames: Iterable[Array], masks: Iterable[Array]) -> Iterator[Array]:
        """Harmonize a whole clip, lazily: as many frames come out as go in.

        With ``best``, lists and arrays are gone through once before, to look at whole shots; generators cannot be.
        """
        self.reset()
        if self.wants_survey and not isinstance(frames, Iterator) and not isinstance(masks, Iterator):
            survey = self.begin_survey()
            for frame, mask in zip(frames, masks, strict=True):
                survey.look_at(functools.partial(thumbnail_of, frame), mask)
            self.surveyed = survey
        for frame, mask in zip(frames, masks, strict=True):
            done = self.step(frame, mask)
            if done is not None:
                yield done
        yield from self.flush()

    # --- whole shots, beforehand

    @property
    def wants_survey(self) -> bool:
        """Whether the quality asks for a look at whole shots, and the network can make use of one."""
        return self.quality == "best" and self.model.look_path is not None

    def begin_survey(self) -> Survey:
        """A survey that sees frames as this harmonizer does: look at all of the stream, then set ``surveyed``."""
        return Survey(self._see, self.cut_detection)

    # --- the same for any kind of payload (the pipeline's frames are planes)

    def push(self, payload: Any, thumbnail: Thumbnail, matte: Array, cut: bool = False) -> list[Released]:
        """Take a frame of any kind.

        Args:
            payload: handed back with its transform.
            thumbnail: called with (height, width) for a small float32 RGB frame.
            matte: (H, W), as :func:`as_matte` takes it.
            cut: the frame is known to begin a shot.
        Returns:
            The payloads that are ready (at most one), with no change for frames without foreground.
        """
        if self.cut_detection:
            cut = self._cuts.step(thumbnail(*THUMBNAIL)) or cut
        if cut:
            self._run_window()
            self._shot += 1
            self._last_key = None
        foreground = bool(matte[::8].any()) or bool(matte.any())  # most mattes tell at the first look
        background = foreground and (self._reference is not None or shows_background(matte))
        # A frame that cannot be a key frame leaves that to the next one.
        if background and (self._last_key is None or self._index - self._last_key >= self.stride):
            self._last_key = self._index
            self._window.append((self._index, *self._see(thumbnail, matte)))
            if len(self._window) == self.model.config.clip_frames:
                self._run_window()
        self.borrowed += foreground and not background
        self._pending.append((self._shot, self._index, foreground, payload))
        self._index += 1
        if self._index - self._pending[0][1] <= self.latency_frames:
            return []
        return [self._release()]

    def drain(self) -> list[Released]:
        """Everything that waits; then forget the stream."""
        return list(self.drain_lazily())

    def drain_lazily(self) -> Iterator[Released]:
        """As :meth:`drain`, one at a time."""
        self._run_window()
        while self._pending:
            yield self._release()
        self.reset()

    def _see(self, thumbnail: Thumbnail, matte: Array) -> tuple[Array, Array]:
        """A frame and its mask at the network's size."""
        size = self.model.config.image_size
        picture, mask = thumbnail(size, size), small_mask(matte, size)
        if self._reference is not None:
            picture = np.where(mask[..., None], picture, self._reference)
        return picture, mask

    def _run_window(self) -> None:
        self._estimates.extend(self._estimate(self._shot, self._window))
        self._window = []

    @torch.no_grad()
    def _estimate(self, shot: int, key_frames: list[KeyFrame]) -> list[Estimate]:
        """Ask the network: one call for at most a window of key frames."""
        if not key_frames:
            return []
        # The last window of a shot is filled by repeating its last frame.
        fill = self.model.config.clip_frames - len(key_frames)
        window = key_frames + [key_frames[-1]] * max(0, fill)
        frames = torch.from_numpy(np.stack([frame for _, frame, _ in window])).permute(0, 3, 1, 2)[None].to(self.device)
        masks = torch.from_numpy(np.stack([mask for _, _, mask in window]))[None, :, None].to(self.device)
        sets = self.surveyed.sets_of(shot) if self.surveyed is not None else None
        if sets is not None:
            sets = [colors.to(self.device) for colors in sets[0]], sets[1].to(self.device)
        with autocast(self.device, self.precision):
            predicted = self.model.predict(frames, masks, sets=sets).change
            if isinstance(predicted, Transform):
                predicted = self.model.look_again(predicted, frames, masks, sets)
        # How much changes over all is seen on every fourth row and column as well.
        part, covered = (frames, masks) if isinstance(predicted, Drawing) else (frames[..., ::4, ::4], masks[..., ::4, ::4])
        if not any(mask[::4, ::4].any() for _, _, mask in window):
            part, covered = frames, masks
        share = _share_kept(predicted.apply(part) - part, covered, self.caution)
        changes = [change.scaled(share) for change in _changes(predicted, frames)]
        return [Estimate(shot, index, changes[place]) for place, (index, _, _) in enumerate(key_frames)]

    def _release(self) -> Released:
        shot, index, foreground, payload = self._pending.popleft()
        # What lies far enough behind is not asked for again.
        while self._estimates and (self._estimates[0].shot < shot or self._is_past(index)):
            self._estimates.popleft()
        if not foreground:
            return Released(payload, None, shot)
        estimates = self._of_shot(shot)
        if not estimates and shot == self._shot:
            self._run_window()  # with a short lookahead, a shot's first frame cannot wait for the window to fill
            estimates = self._of_shot(shot)
        if not estimates and self.find_background is not None:
            self._estimates.extendleft(self._estimate(shot, [(index, *self._see(*self.find_background(payload)))]))
            estimates = self._of_shot(shot)
        if not estimates:
            self.unread += 1
            return Released(payload, None, shot)
        change = smoothed(estimates, index, self._window_frames, self.latency_frames - self._window_frames + self.stride)
        scaled = self.told.added_to(change, shot, index).scaled(self.strength)
        return Released(payload, KeepingChange(scaled, self.keep) if self.keep else scaled, shot)

    def _of_shot(self, shot: int) -> list[Estimate]:
        return [estimate for estimate in self._estimates if estimate.shot == shot]

    def _is_past(self, index: int) -> bool:
        """Whether the oldest estimate is too old to count at a frame, and a younger one stands in for it."""
        first = self._estimates[0]
        others = len(self._estimates) > 1 and self._estimates[1].shot == first.shot and self._estimates[1].index <= index
        return others and first.index < index - 3.0 * SMOOTHING_FRAMES


def _changes(predicted: Transform | Drawing, frames: torch.Tensor) -> list[FrameTransform] | list[PixelChange]:
    """What the network says of each frame of a window."""
    if isinstance(predicted, Transform):
        overall = predicted.overall[0].float().cpu().numpy()
        return [FrameTransform(overall, local) for local in predicted.local[0].float().cpu().numpy()]
    drawn = (predicted.apply(frames) - frames)[0].float().permute(0, 2, 3, 1).cpu().numpy()
    return [PixelChange(np.ascontiguousarray(pixels)) for pixels in drawn]


def _share_kept(change: torch.Tensor, mask: torch.Tensor, caution: float) -> float:
    """How much of a change is made: nearly all of a strong one, little of one that is smaller than ``caution`` levels.

    Args:
        change: (B, T, 3, H, W) in units of [0, 1].
        mask: (B, T, 1, H, W) bool.
    """
    squared = float((change.float().square() * mask).sum() / (3 * mask.sum()).clamp_min(1)) * 255.0**2
    return squared / (squared + caution**2) if squared + caution**2 > 0.0 else 1.0


def _rendered(payload: tuple[Array, Array], transform: ColorChange | None) -> Array:
    frame, matte = payload
    return frame if transform is None else render_rgb(frame, matte, transform)
