"""One frame in, the frame harmonized out, written so that TorchScript can read it.

Nuke's Inference node hands over linear light with the foreground's matte as alpha. The network is
traced at its own size; what surrounds it (light to sRGB and back, resampling, the maps at the
frame's size, the knobs) is scripted, so that frames may have any size. Resampling is written as
matrix products: TorchScript's ``interpolate`` names operators that the torch of Nuke lacks.
Letters: H and W height and width, S the network's size, N cells in a row, T frames of a window.
"""

# TorchScript reads a class's annotations as they are, not as text: annotations stay what they are.
import torch
from torch import Tensor, nn

from vhmae.color.basis import AFFINE
from vhmae.engine.sight import LOOKED_AT, MINIMUM_BACKGROUND
from vhmae.guide.colors import LEVELS, LUMA
from vhmae.guide.dials import DIALS, GRAY, GREEN, WARM
from vhmae.model.vhmae import VHMAE
from vhmae.nuke.frozen import quietly

KNOBS = ("strength", "caution", *DIALS)
"""Attributes that a person may turn in Nuke."""


class Answer(nn.Module):
    """What the network says of a window, in functions of tensors alone, which can be traced."""

    def __init__(self, model: VHMAE) -> None:
        """Take a network whose head says color maps."""
        super().__init__()
        self.model = model

    def maps(self, frames: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
        """Color maps, the network having seen twice.

        Args:
            frames: (1, T, 3, S, S) in [0, 1].
            masks: (1, T, 1, S, S) bool.
        Returns:
            The overall map (1, 3, 10), and those of the cells (1, T, N, N, 3, 4).
        """
        change = self.model.predict(frames, masks).change
        found = self.model.look_again(change, frames, masks).maps()
        assert found is not None, "the head says color maps"
        return found.overall, found.local


def traced(model: VHMAE) -> torch.jit.ScriptModule:
    """The network's answer, traced at its size on any numbers: nothing in it depends on them."""
    answer = Answer(model)
    size, count = model.config.image_size, model.config.clip_frames
    frames = torch.linspace(0.0, 1.0, 3 * size * size).reshape(3, size, size)
    frames = frames.expand(1, count, -1, -1, -1).contiguous()
    masks = torch.zeros(1, count, 1, size, size, dtype=torch.bool)
    masks[..., size // 4 : size // 2, size // 4 : size // 2] = True
    with quietly():
        return torch.jit.trace_module(answer, {"maps": (frames, masks)}, check_trace=False)


class InferenceModel(nn.Module):
    """What Nuke's Inference node runs: (1, 4, H, W) linear red, green, blue and matte -> the
    same, harmonized; values above 1 keep what they have above it, the matte stays."""

    luma: Tensor
    warm: Tensor
    green: Tensor

    def __init__(self, model: VHMAE) -> None:
        """Take a network in evaluation mode, in fp32, whose head says color maps."""
        super().__init__()
        self.answer = traced(model)
        self.size: int = model.config.image_size
        self.count: int = model.config.clip_frames
        self.looked_at: int = LOOKED_AT
        self.least_background: float = MINIMUM_BACKGROUND
        self.affine: int = AFFINE
        self.levels: float = LEVELS
        self.gray: float = GRAY
        for name, numbers in (("luma", LUMA), ("warm", WARM), ("green", GREEN)):
            column = torch.tensor(numbers, dtype=torch.float32).view(3, 1, 1)
            self.register_buffer(name, column)
        self.strength: float = 1.0
        self.caution: float = model.usual_caution
        self.exposure: float = 0.0
        self.temperature: float = 0.0
        self.tint: float = 0.0
        self.contrast: float = 0.0
        self.blacks: float = 0.0
        self.saturation: float = 0.0

    def forward(self, image: Tensor) -> Tensor:
        """Harmonize a frame."""
        light = image[0, :3].float()
        matte = torch.nan_to_num(image[0, 3].float()).clamp(0.0, 1.0)
        if not bool((matte > 0.0).any()) or not self.shows_background(matte):
            return image
        shown = torch.nan_to_num(light, 0.0, 1.0, 0.0).clamp(0.0, 1.0)
        rgb = self.from_light(shown)
        overall, local = self.ask(self.shrunk(rgb), self.shrunk(matte.unsqueeze(0)))
        moved = rgb + self.change(rgb, overall, local)
        if self.is_turned():
            moved = self.turned(moved)
        moved = (rgb + self.strength * (moved - rgb)).clamp(0.0, 1.0)
        rendered = rgb + matte * (moved - rgb)
        # Where nothing changes the light stays to the bit; above 1 it is multiplied as it is at 1,
        # so that highlights keep their detail and take on the tint (``color.light.carried``).
        now = self.to_light(rendered)
        made = torch.where(light > 1.0, light * now, light + now - shown)
        changed = torch.where(rendered == rgb, light, made)
        return torch.cat([changed, image[0, 3:].float()]).unsqueeze(0).to(image.dtype)

    def ask(self, rgb: Tensor, matte: Tensor) -> tuple[Tensor, Tensor]:
        """The maps (3, 10) and (N, N, 3, 4) for a frame at the network's size, after caution."""
        mask = matte >= 0.5
        if not bool(mask.any()):
            mask = matte > 0.0
        frames = rgb.expand(1, self.count, -1, -1, -1)
        masks = mask.expand(1, self.count, -1, -1, -1)
        overall, local = self.answer.maps(frames, masks)
        part, covered = rgb[:, ::4, ::4], mask[:, ::4, ::4]
        if not bool(covered.any()):
            part, covered = rgb, mask
        squared = torch.zeros([], device=rgb.device)
        for frame in range(self.count):
            change = self.change(part, overall[0], local[0, frame])
            squared = squared + (change * change * covered).sum()
        mean = float(squared) / (3.0 * self.count * float(covered.sum())) * self.levels**2
        share = 1.0
        if mean + self.caution**2 > 0.0:
            share = mean / (mean + self.caution**2)
        return overall[0] * share, local[0, 0] * share

    def change(self, rgb: Tensor, overall: Tensor, local: Tensor) -> Tensor:
        """What the maps add to colors (3, H, W), not clipped."""
        red, green, blue = rgb[0], rgb[1], rgb[2]
        down = self.between(local.size(0), rgb.size(1), rgb)
        across = self.between(local.size(1), rgb.size(2), rgb).t()
        cells = local + overall[:, : self.affine]
        added: list[Tensor] = []
        for channel in range(3):
            moved = down @ cells[:, :, channel, 3] @ across
            for term in range(3):
                moved = moved + down @ cells[:, :, channel, term] @ across * rgb[term]
            map_of = overall[channel]
            moved = moved + map_of[4] * red * red + map_of[5] * green * green
            moved = moved + map_of[6] * blue * blue + map_of[7] * red * green
            added.append(moved + map_of[8] * green * blue + map_of[9] * blue * red)
        return torch.stack(added)

    def between(self, cells: int, size: int, like: Tensor) -> Tensor:
        """Bilinear interpolation between the centers of cells, the ends held: (size, cells)."""
        places = (torch.arange(size, device=like.device) + 0.5) * (cells / size) - 0.5
        places = places.clamp(0.0, cells - 1.0).unsqueeze(1)
        centers = torch.arange(cells, device=like.device)
        return (1.0 - (places - centers).abs()).clamp_min(0.0)

    def shrunk(self, planes: Tensor) -> Tensor:
        """Planes (C, H, W) at the network's size, by mean, as ``video.planes.shrink`` makes
        them."""
        size = self.size
        while planes.size(1) >= 2 * size and planes.size(2) >= 2 * size:
            planes = torch.nn.functional.avg_pool2d(planes, 2)
        shrinks = planes.size(1) >= size and planes.size(2) >= size
        down = self.area(planes.size(1), size, shrinks, planes)
        across = self.area(planes.size(2), size, shrinks, planes).t()
        return down @ planes @ across

    def area(self, before: int, after: int, shrinks: bool, like: Tensor) -> Tensor:
        """OpenCV's INTER_AREA along an axis: (after, before). Shrinking, each pixel counts by its
        share; where an axis grows, pixels are repeated with a step of one pixel between them."""
        pixels = torch.arange(before, device=like.device)
        places = torch.arange(after, device=like.device).unsqueeze(1)
        step = before / after
        if shrinks:
            begin, end = places * step, (places + 1) * step
            cover = torch.minimum(end, pixels + 1.0) - torch.maximum(begin, pixels * 1.0)
            return cover.clamp_min(0.0) / step
        lower = (places * step).floor()
        beyond = (places + 1.0) - (lower + 1.0) / step
        share = torch.where(beyond <= 0.0, torch.zeros_like(beyond), beyond - beyond.floor())
        upper = (lower + 1.0).clamp_max(before - 1.0)
        lower = lower.clamp_max(before - 1.0)
        return (pixels == lower) * (1.0 - share) + (pixels == upper) * share

    def shows_background(self, matte: Tensor) -> bool:
        """Whether the frame shows enough background to be read."""
        step = max(2, min(matte.size(0), matte.size(1)) // self.looked_at)
        for every in [step, 2]:
            seen = matte[::every, ::every] < 0.5
            if float(seen.sum()) >= self.least_background * float(seen.numel()):
                return True
        return False

    def is_turned(self) -> bool:
        """Whether a dial is off its middle."""
        turned = self.exposure != 0.0 or self.temperature != 0.0 or self.tint != 0.0
        return turned or self.contrast != 0.0 or self.blacks != 0.0 or self.saturation != 0.0

    def turned(self, rgb: Tensor) -> Tensor:
        """Turn the dials on colors (3, H, W), as ``guide.dials.turn`` does."""
        stops = self.temperature / 100.0 * self.warm + self.tint / 100.0 * self.green
        light = self.to_light(rgb.clamp_min(0.0)) * 2.0 ** (stops + self.exposure)
        light = self.gray * (light / self.gray) ** (2.0**self.contrast) + self.blacks / 100.0
        gray = (light * self.luma).sum(0, keepdim=True)
        return self.from_light((gray + (light - gray) * 2.0**self.saturation).clamp_min(0.0))

    def from_light(self, light: Tensor) -> Tensor:
        """Light from 0 up -> sRGB (IEC 61966-2-1)."""
        curve = 1.055 * light.clamp_min(0.0031308) ** (1.0 / 2.4) - 0.055
        return torch.where(light <= 0.0031308, 12.92 * light, curve)

    def to_light(self, values: Tensor) -> Tensor:
        """sRGB from 0 up -> light."""
        curve = ((values.clamp_min(0.04045) + 0.055) / 1.055) ** 2.4
        return torch.where(values <= 0.04045, values / 12.92, curve)
