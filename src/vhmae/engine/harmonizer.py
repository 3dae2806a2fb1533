"""The harmonizer: frames in, frames out, the network asked once a window of key frames.

The network sees small frames at key frames only; its transforms are smoothed over time and
interpolated between them. With ``lookahead`` a frame waits for transforms from its future (files);
with none, frames leave at once (live).
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vhmae.arrays import Array, ColorMap, Matte, Picture
from vhmae.engine import memory
from vhmae.engine.backends import network_of, open_network
from vhmae.engine.complexion import with_skin
from vhmae.engine.estimation import Estimator, KeyFrame
from vhmae.engine.fading import Fading
from vhmae.engine.moving import Move, Side
from vhmae.engine.networks import WindowNetwork
from vhmae.engine.pointing import from_reference
from vhmae.engine.priors import prior_of
from vhmae.engine.rendering import (
    ColorChange,
    FrameTransform,
    KeepingChange,
    PixelChange,
    Released,
)
from vhmae.engine.settings import (
    STRIDES,
    BackendChoice,
    HarmonizerSettings,
    Kept,
    PrecisionChoice,
    Quality,
    Windows,
    check_lookahead,
)
from vhmae.engine.sight import (
    FindBackground,
    MaskKind,
    Thumbnail,
    reference_of,
    shows_background,
    small_mask,
)
from vhmae.engine.smoothing import SMOOTHING_FRAMES, Estimate, is_past, smoothed
from vhmae.engine.stepping import Stepping
from vhmae.engine.stream_guide import Look, StreamGuide
from vhmae.engine.survey import Survey, Surveyed
from vhmae.engine.window import Window
from vhmae.errors import InputError
from vhmae.guide.changes import BLENDED_FRAMES, GuideChanges
from vhmae.guide.document import Guide
from vhmae.guide.prior import Prior
from vhmae.model.files import DEFAULT
from vhmae.video.cuts import THUMBNAIL, CutDetector

if TYPE_CHECKING:
    from vhmae.model.vhmae import VHMAE


class Harmonizer(Stepping):
    """Harmonizes a stream of frames.

    ``latency_frames`` is the number of frames by which the output lags behind the input: 0 with
    ``lookahead=0``.
    """

    def __init__(
        self,
        model: VHMAE | WindowNetwork,
        *,
        device: Any = "cpu",
        precision: PrecisionChoice = "auto",
        quality: Quality = "balanced",
        strength: float = 1.0,
        caution: float | None = None,
        windows: Windows = "auto",
        lookahead: int | None = None,
        cut_detection: bool = True,
        find_background: FindBackground | None = None,
        reference: Picture | None = None,
        keep: Kept | Sequence[Kept] = (),
        skin: bool = False,
        move: str = "foreground",
        side: Side | None = None,
    ) -> None:
        """Make a harmonizer of a model.

        Args:
            model: a torch model, or a network where it runs (``engine.backends.open_network``).
            device, precision: where a torch model is to run, and how; a network has its own.
            lookahead: frames that the output may lag behind; None takes what the smoothing can use,
                0 is live.
            cut_detection: False takes the stream as one shot, but for the cuts that :meth:`push` is
                told.
            find_background: asked where a frame must be rendered before its shot has shown any
                background (files can be read ahead); without it such frames stay untouched.
            reference: (H, W, 3) float32 RGB in [0, 1]: a picture to harmonize to, in the place of
                the composite's background.
            keep: what of the foreground's colors is left as it is.
            skin: pull the hue of the foreground's skin towards hues that skin has.
            move: who moves, as :meth:`Move.parse` takes it; ``behind`` then harmonizes the
                background. :meth:`step`, :meth:`flush`, :meth:`harmonize` and :meth:`guide` are of
                every side that moves, all else of the foreground.
            side: what the mattes that come are of, where the caller runs one harmonizer a side.
        """
        settings = HarmonizerSettings(
            quality=quality,
            strength=strength,
            caution=caution,
            windows=windows,
            keep=(keep,) if isinstance(keep, str) else tuple(keep),
            precision=precision,
            move=move,
        )
        check_lookahead(lookahead)
        self.network = network_of(model, device, precision)
        self.caution = self.network.usual_caution if caution is None else caution
        self.estimator = Estimator(self.network, self.caution)
        self.quality = quality
        self.move = Move.parse(move)
        self.side = side or self.move.sides[0]
        self.strength = strength * (self.move.foreground or 1.0)
        self.keep = settings.keep
        self.skin = skin
        # Color maps hold between key frames; drawn pixels belong to one frame alone.
        holds = self.network.holds_between_key_frames
        self.stride = STRIDES[quality] if holds else 1
        self.overlapping = windows == "overlapping" or (windows == "auto" and not holds)
        self._window_frames = self.stride * self.network.config.clip_frames
        self.latency_frames = (
            self._window_frames + round(SMOOTHING_FRAMES) if lookahead is None else lookahead
        )
        self.cut_detection = cut_detection
        self.find_background = find_background
        size = self.network.config.image_size
        self._still = reference
        self._reference = None if reference is None else reference_of(reference, size)
        self.borrowed = 0
        """Frames without background, which took the transform of the nearest frame that has
        some."""
        self.unread = 0
        """Frames of shots that had shown no background in time: they stay untouched."""
        self.weights: str | None = None
        """Where the model came from, which says what prior belongs to it; None is not told."""
        self.stream_guide = StreamGuide(Guide(), None, lambda said: said, GuideChanges())
        self.behind: Harmonizer | None = None
        if self.move.background:
            if reference is not None:
                raise InputError("goes without a reference, which is no side", field="move")
            self.behind = Harmonizer(
                self.network,
                quality=quality,
                strength=strength * self.move.background,
                caution=caution,
                windows=windows,
                lookahead=lookahead,
                cut_detection=cut_detection,
                keep=self.keep,
                side=self.move.sides[-1],
            )
        self._done = deque()
        self._forget()

    @classmethod
    def from_settings(
        cls, settings: HarmonizerSettings, network: WindowNetwork | None = None, **more: Any
    ) -> Harmonizer:
        """A harmonizer by settings.

        Args:
            network: that of the settings' weights, where it is open already.
            more: what else :class:`Harmonizer` takes, or takes in the settings' place.
        """
        own = {
            field.name: getattr(settings, field.name)
            for field in dataclasses.fields(HarmonizerSettings)
        }
        if network is None:
            return cls.from_pretrained(**{**own, **more})
        for name in ("weights", "backend", "device", "precision", "threads"):
            del own[name]
        harmonizer = cls(network, **{**own, **more})
        harmonizer.weights = settings.weights
        return harmonizer

    @classmethod
    def from_pretrained(
        cls,
        weights: str | Path = DEFAULT,
        *,
        backend: BackendChoice = "auto",
        device: str = "auto",
        precision: PrecisionChoice = "auto",
        threads: int | None = None,
        **options: Any,
    ) -> Harmonizer:
        """Load weights by packaged name or path.

        Args:
            backend: "auto", "onnx" or "torch" (docs/backends.md).
            device: "auto", "cpu", "cuda", "cuda:N", "mps", "directml" or "coreml".
            precision: "auto", "fp32", "bf16" or "fp16".
            threads: CPU threads; None leaves them as they are.
            options: what :class:`Harmonizer` takes (``quality``, ``strength``, ``lookahead``, ...).
        Raises:
            InputError: for unknown weights, a device that is not there, or a value out of range.
        """
        weights = str(weights)
        harmonizer = cls(open_network(weights, backend, device, precision, threads), **options)
        harmonizer.weights = weights
        return harmonizer

    def reset(self) -> None:
        """Forget the stream: another one begins."""
        self._done.clear()
        self._forget()
        if self.behind is not None:
            self.behind.reset()

    def _forget(self) -> None:
        self._cuts = CutDetector()
        self._fading = Fading()
        self._masks = MaskKind()
        self._shot = self._index = 0
        self._last_key: int | None = None
        self._window = Window(
            self.network.config.clip_frames,
            self.overlapping,
            lambda frames, wanted: self._estimate(self._shot, frames, wanted),
        )
        self._estimates: deque[Estimate] = deque()
        self._pending: deque[tuple[int, int, bool, Any]] = deque()
        self._last_released: tuple[int, int, bool, Any] = (0, -1, False, None)
        self._unread: tuple[int, int] = (-1, -1)
        """Shot and number of the last frame that stayed untouched since nothing could be read."""
        self.surveyed: Surveyed | None = None
        self.stream_guide.restart()

    def guide(
        self, guide: Guide, prior: Prior | None = None, look: Look = lambda said: said
    ) -> None:
        """Hear what a person says of the stream, in the place of what was said before.

        Points and choices name frames by their number in the stream: the one that came out last,
        or later ones. A word acts from its frame on, blended in over a second; that of a shot's
        first frame holds for all of it.

        Args:
            prior: None is that of the weights; a warning tells where they have none.
            look: payload of :meth:`push` -> frame and matte; :meth:`step` needs none.
        Raises:
            InputError: for a frame that has passed, or an object besides the first, which alone is
                here; later, where a point lies outside the mask.
        """
        self.require_maps()
        guide = from_reference(guide, self._still)
        guide.check_objects(1)
        known = self.warned_prior() if prior is None else prior
        heard = []
        for one in self.moving:
            guide_changes = one.stream_guide.guide_changes
            own = one.strength, one.keep, one.side
            stream_guide = StreamGuide(guide, known, look, guide_changes, *own)
            stream_guide.take_over(one.stream_guide, one._index - len(one._pending))
            heard.append(stream_guide)
        for one, stream_guide in zip(self.moving, heard, strict=True):
            one.stream_guide = stream_guide

    @functools.cached_property
    def own_prior(self) -> tuple[Prior, list[str]]:
        """The prior of the weights, and what is to be said where they have none of their own."""
        return prior_of(self.network, self.weights)

    def tell(self, change: ColorMap, shot: int | None = None) -> None:
        """Add a change (30,) of ``guide.decision`` to the maps of a shot (None: of all); said while
        frames come, it is blended in."""
        self.require_maps()
        begin = self._index - len(self._pending) if self._index else -math.inf
        self.stream_guide.guide_changes.say(change, shot, begin)

    def require_maps(self) -> None:
        """Refuse a guide where the weights draw pixels."""
        if not self.network.holds_between_key_frames:
            raise InputError(
                "these weights draw pixels; take weights that say color maps", field="guide"
            )

    def answer(
        self, thumbnail: Thumbnail, matte: Matte, shot: int = 0
    ) -> FrameTransform | PixelChange:
        """What the network says of one frame by itself, without guide and strength; the stream is
        left as it is."""
        return self._estimate(shot, [(0, *self._see(thumbnail, matte))], range(1))[0].change

    # --- what a stopped run needs to go on

    def snapshot(self) -> memory.Snapshot:
        """Everything the stream remembers, but for the payloads that wait: those are read again."""
        numbers: dict[str, Any] = {
            "shot": self._shot,
            "index": self._index,
            "last_key": self._last_key,
            "borrowed": self.borrowed,
            "unread": self.unread,
            "pending": [[shot, index, foreground] for shot, index, foreground, _ in self._pending],
            "window": [index for index, _, _ in self._window.frames],
            "asked": self._window.asked,
            "untouched": list(self._unread),
            "estimates": [[one.shot, one.index] for one in self._estimates],
        }
        numbers["heard"], arrays = self.stream_guide.state()
        arrays |= self._cuts.state() | self._fading.state()
        arrays |= memory.window_arrays(self._window.frames) | memory.estimate_arrays(
            self._estimates
        )
        return memory.Snapshot(numbers, arrays)

    @property
    def waiting(self) -> list[Any]:
        """The payloads that wait, in order."""
        return [payload for *_, payload in self._pending]

    def restore(self, snapshot: memory.Snapshot, payloads: Sequence[Any]) -> None:
        """Go on from a snapshot; ``payloads`` are those that waited then, in order."""
        numbers, arrays, surveyed = snapshot.numbers, snapshot.arrays, self.surveyed
        self._forget()
        self.surveyed = surveyed
        self._cuts.restore(arrays)
        self._fading.restore(arrays)
        self.stream_guide.restore(numbers["heard"], arrays)
        self._shot, self._index = numbers["shot"], numbers["index"]
        self._last_key = numbers["last_key"]
        self.borrowed, self.unread = numbers["borrowed"], numbers["unread"]
        self._unread = numbers["untouched"][0], numbers["untouched"][1]
        pending = zip(numbers["pending"], payloads, strict=True)
        self._pending.extend((*place, payload) for place, payload in pending)
        self._window.restore(memory.window_of(numbers["window"], arrays), numbers["asked"])
        holds = self.network.holds_between_key_frames
        kind = FrameTransform if holds else PixelChange
        self._estimates.extend(memory.estimates_of(kind, numbers["estimates"], arrays))

    # --- whole shots, beforehand

    @property
    def wants_survey(self) -> bool:
        """Whether the quality asks for a look at whole shots, and the network can make use of
        one."""
        return self.quality == "best" and self.network.config.look is not None

    def begin_survey(self) -> Survey:
        """A survey that sees frames as this harmonizer does: look at all of the stream, then set
        ``surveyed``."""
        return Survey(self._see, self.cut_detection)

    # --- the same for any kind of payload (the pipeline's frames are planes)

    def push(
        self, payload: Any, thumbnail: Thumbnail, matte: Matte, cut: bool = False
    ) -> list[Released]:
        """Take a frame of any kind.

        Args:
            payload: handed back with its transform.
            thumbnail: called with (height, width) for a small float32 RGB frame.
            matte: (H, W), as :func:`vhmae.arrays.to_unit` takes it.
            cut: the frame is known to begin a shot.
        Returns:
            The payloads that are ready (at most one), with no change for frames without foreground.
        """
        small = thumbnail(*THUMBNAIL)
        if self.cut_detection:
            cut = self._cuts.step(small) or cut
        cut = cut and self._index > 0  # what comes first begins a shot in any case
        if cut:
            self._estimates.extend(self._window.finish())
            self._shot += 1
        if self._cuts.began_lit:  # key frames of the flash say little of the shot
            self._window.forget_waiting()
        self._last_key = None if cut or self._cuts.began_lit else self._last_key
        self._fading.see(self._shot, self._index, small)
        # Most mattes tell at the first look.
        foreground = bool(matte[::8].any()) or bool(matte.any())
        background = foreground and (self._reference is not None or shows_background(matte))
        # A frame that cannot be a key frame leaves that to the next one.
        blinded = self.cut_detection and self._cuts.blinded
        if (
            background
            and not blinded
            and (self._last_key is None or self._index - self._last_key >= self.stride)
        ):
            self._last_key = self._index
            key_frame = (self._index, *self._see(thumbnail, matte))
            self._estimates.extend(self._window.add(key_frame))
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
        self._estimates.extend(self._window.finish())
        self._fading.end()
        while self._pending:
            yield self._release()
        self._forget()

    def _see(self, thumbnail: Thumbnail, matte: Matte) -> tuple[Array, Array]:
        """A frame and its mask at the network's size."""
        size = self.network.config.image_size
        picture, mask = thumbnail(size, size), small_mask(matte, size)
        if self._reference is not None:
            picture = np.where(mask[..., None], picture, self._reference)
        return picture, mask

    def _estimate(self, shot: int, key_frames: list[KeyFrame], wanted: range) -> list[Estimate]:
        """Ask the network: one call for at most a window of key frames, of which some are
        wanted."""
        sets = self.surveyed.sets_of(shot) if self.surveyed is not None else None
        # The last of disjoint windows is filled by repeating its last frame.
        found = self.estimator.estimate(shot, key_frames, wanted, sets, fill=not self.overlapping)
        of_skin = self.skin and self.side.of == "foreground"
        return with_skin(found, key_frames, self.own_prior[0]) if of_skin else found

    def _release(self) -> Released:
        released = self._answered(*self._pending[0])  # a word that cannot be loses no frame
        self._last_released = self._pending.popleft()
        return released

    def wait_again(self) -> None:
        """Have the frame that was released last wait again, where another side cannot go on."""
        self._pending.appendleft(self._last_released)

    def _answered(self, shot: int, index: int, foreground: bool, payload: Any) -> Released:
        """A frame with what is done to it."""
        shown = self._fading.shown(shot, index)
        # What lies far enough behind is not asked for again.
        while self._estimates and (
            self._estimates[0].shot < shot or is_past(self._estimates, index)
        ):
            self._estimates.popleft()
        if not foreground:
            return Released(payload, None, shot)
        estimates = self._of_shot(shot)
        # With a short lookahead, a shot's first frame cannot wait for the window to fill, and no
        # drawn one for its window's middle.
        if shot == self._shot and not self._is_estimated(estimates, index):
            self._estimates.extend(self._window.hurry())
            estimates = self._of_shot(shot)
        if not estimates and self.find_background is not None:
            found = self.find_background(payload)
            if found is not None:
                key_frame = (index, *self._see(*found))
                self._estimates.extendleft(self._estimate(shot, [key_frame], range(1)))
            estimates = self._of_shot(shot)
        if not estimates:
            self.unread += 1
            self._unread = shot, index
            return Released(payload, None, shot)
        ahead = self.latency_frames - self._window_frames + self.stride
        change = smoothed(estimates, index, self._window_frames, ahead)
        # What can be read only after frames of its shot have left untouched makes no step.
        late = index - self._unread[1] if self._unread[0] == shot else BLENDED_FRAMES
        shown *= min(1.0, late / BLENDED_FRAMES)
        if isinstance(change, FrameTransform):
            self.stream_guide.hear(index, payload, change, shot, shown)
        told = self.stream_guide.guide_changes.added_to(change, shot, index)
        return Released(payload, self.finished(told.scaled(shown)), shot, shown)

    def finished(self, change: ColorChange) -> ColorChange:
        """A change that is said in full, with this harmonizer's strength and what it keeps."""
        scaled = change.scaled(self.strength)
        return KeepingChange(scaled, self.keep) if self.keep else scaled

    def _of_shot(self, shot: int) -> list[Estimate]:
        return [estimate for estimate in self._estimates if estimate.shot == shot]

    def _is_estimated(self, estimates: list[Estimate], index: int) -> bool:
        """Whether the estimates say what is to be done to a frame: any color map does, a drawing
        is of its own frame."""
        if self.network.holds_between_key_frames:
            return bool(estimates)
        return any(one.index >= index for one in estimates)
