"""What is fast beside a loop that says the same: RAIN, CO2Net's tables, PCT's maps, warping."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import torch

from tests.comparators.networks import IS2AM, clip
from vhmae.comparators.critic import PartialConvolution
from vhmae.comparators.harmony_transformer import HarmonyTransformerConfig, Layer, sine_code
from vhmae.comparators.is2am import Is2am, SpatialSeparatedAttention, pooled
from vhmae.comparators.neighbor_lut import cast_votes, look_up, of_neighbors
from vhmae.comparators.pct_net import apply_maps, sobel_magnitude
from vhmae.comparators.rainnet import Rain


def test_rain_matches_the_loop_over_pixels_of_either_side() -> None:
    torch.manual_seed(0)
    rain = Rain(3).requires_grad_(False)
    for parameter in rain.parameters():
        torch.nn.init.normal_(parameter)
    features, mask = torch.randn(2, 3, 6, 6), (torch.rand(2, 1, 12, 12) > 0.6).float()
    out = rain(features, mask)
    for frame, channel in itertools.product(range(2), range(3)):
        sides: dict[bool, list[float]] = {True: [], False: []}
        for y, x in itertools.product(range(6), range(6)):
            inside = bool(mask[frame, 0, 2 * y, 2 * x])  # nearest neighbor
            sides[inside].append(float(features[frame, channel, y, x]))
        statistics = {}
        for side, values in sides.items():
            area = len(values) + 1e-5
            mean = sum(values) / area
            variance = sum((value - mean) ** 2 for value in values) / area
            statistics[side] = mean, math.sqrt(variance + 1e-5)
        (own_mean, own_deviation), (mean, deviation) = statistics[True], statistics[False]
        for y, x in itertools.product(range(6), range(6)):
            value = float(features[frame, channel, y, x])
            if mask[frame, 0, 2 * y, 2 * x]:
                expected = (value - own_mean) / own_deviation * deviation + mean
                gain, shift = rain.foreground_gain[channel], rain.foreground_shift[channel]
            else:
                expected = (value - mean) / deviation
                gain, shift = rain.background_gain[channel], rain.background_shift[channel]
            expected = expected * (1.0 + float(gain)) + float(shift)
            assert float(out[frame, channel, y, x]) == pytest.approx(expected, abs=1e-4)


def test_rain_takes_a_foreground_to_its_backgrounds_statistics() -> None:
    features = torch.randn(1, 4, 16, 16)
    mask = torch.zeros(1, 1, 16, 16)
    mask[..., 4:12, 4:12] = 1.0
    features = torch.where(mask > 0.5, 3.0 * features + 5.0, features)
    out = Rain(4)(features, mask)
    inside = mask[0, 0] > 0.5
    background = features[0][:, ~inside]
    found = out[0][:, inside]
    torch.testing.assert_close(found.mean(1), background.mean(1), atol=1e-3, rtol=1e-3)
    expected = background.std(1, correction=0)
    torch.testing.assert_close(found.std(1, correction=0), expected, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_rain_stands_masks_without_one_of_the_sides(value: float) -> None:
    out = Rain(2)(torch.randn(1, 2, 4, 4), torch.full((1, 1, 4, 4), value))
    assert torch.isfinite(out).all()


def _votes_by_loop(
    colors: list[list[float]], answers: list[list[float]], nodes: int
) -> dict[Any, Any]:
    cell = 1.000001 / (nodes - 1)
    table: dict[tuple[int, ...], list[float]] = {}
    for color, answer in zip(colors, answers, strict=True):
        lower = [min(int(channel / cell), nodes - 2) for channel in color]
        part = [channel / cell - low for channel, low in zip(color, lower, strict=True)]
        for corner in itertools.product((0, 1), repeat=3):
            weight = 1.0
            for axis in range(3):
                weight *= part[axis] if corner[axis] else 1.0 - part[axis]
            node = tuple(lower[axis] + corner[axis] for axis in range(3))
            entry = table.setdefault(node, [0.0, 0.0, 0.0, 0.0])
            for channel in range(3):
                entry[channel] += weight * answer[channel]
            entry[3] += weight
    return table


def test_a_table_of_votes_matches_the_loop() -> None:
    generator = torch.Generator().manual_seed(0)
    colors = torch.rand(60, 3, generator=generator) * 0.5
    colors[0] = 0.0
    answers = torch.rand(60, 3, generator=generator)
    nodes = 9
    fast = cast_votes(colors.double(), answers.double(), nodes)
    slow = _votes_by_loop(colors.tolist(), answers.tolist(), nodes)
    for number, row in enumerate(fast.tolist()):
        node = (number // nodes**2, number // nodes % nodes, number % nodes)
        assert row == pytest.approx(slow.get(node, [0.0] * 4), abs=1e-5)

    wanted = torch.rand(40, 3, generator=generator)
    found, valid = look_up(fast, wanted.double(), nodes)
    cell = 1.000001 / (nodes - 1)
    for color, value, ok in zip(wanted.tolist(), found.tolist(), valid.tolist(), strict=True):
        lower = [min(int(channel / cell), nodes - 2) for channel in color]
        part = [channel / cell - low for channel, low in zip(color, lower, strict=True)]
        total, mixed = 0.0, [0.0, 0.0, 0.0]
        for corner in itertools.product((0, 1), repeat=3):
            entry = slow.get(tuple(lower[axis] + corner[axis] for axis in range(3)))
            if entry is None or entry[3] == 0.0:
                continue
            weight = 1.0
            for axis in range(3):
                weight *= part[axis] if corner[axis] else 1.0 - part[axis]
            total += weight
            mixed = [m + weight * v / entry[3] for m, v in zip(mixed, entry[:3], strict=True)]
        assert ok == (total > 0.0)
        if ok:
            assert value == pytest.approx([m / total for m in mixed], abs=1e-5)
    assert 0 < int(valid.sum()) < len(valid)  # both cases were met


def test_white_and_black_are_within_the_table() -> None:
    colors = torch.tensor([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]])
    found, valid = look_up(cast_votes(colors, colors), colors)
    assert valid.all()
    torch.testing.assert_close(found, colors, atol=1e-4, rtol=0.0)


def test_a_map_of_colors_is_found_again_from_the_neighbors() -> None:
    composite, mask, _ = (part[0] for part in clip(1, 4))
    composite = composite[:1].expand(4, -1, -1, -1).contiguous()  # the same picture four times
    answers = composite * 0.5 + 0.25
    out = of_neighbors(composite, answers, mask)
    torch.testing.assert_close(out, answers, atol=2e-2, rtol=0.0)


def test_a_frame_does_not_vote_for_itself_and_distant_ones_do_not_vote() -> None:
    composite, mask, _ = (part[0] for part in clip(1, 4))
    composite = composite[:1].expand(4, -1, -1, -1).contiguous()
    answers = torch.stack([torch.full_like(composite[0], 0.1 * (t + 1)) for t in range(4)])
    inside = mask[0].expand(3, -1, -1)
    near = of_neighbors(composite, answers, mask, reach=1)
    for index, expected in enumerate((0.2, 0.2, 0.3, 0.3)):  # means of 2; 1, 3; 2, 4; 3
        wanted = torch.full_like(near[index][inside], expected)
        torch.testing.assert_close(near[index][inside], wanted)
    alone = of_neighbors(composite[:1], answers[:1], mask[:1])
    assert torch.equal(alone, answers[:1])  # no neighbor: the network's own answer


def test_affine_maps_match_the_loop_over_pixels() -> None:
    values, maps = torch.randn(2, 3, 4, 5), torch.randn(2, 12, 4, 5)
    out = apply_maps(values, maps)
    for frame, y, x in itertools.product(range(2), range(4), range(5)):
        for channel in range(3):
            row = maps[frame, 4 * channel : 4 * channel + 4, y, x].tolist()
            color = values[frame, :, y, x].tolist()
            expected = row[3] + sum(factor * one for factor, one in zip(row, color, strict=False))
            assert float(out[frame, channel, y, x]) == pytest.approx(expected, abs=1e-5)


def test_sobel_magnitude_matches_the_loop() -> None:
    maps = torch.randn(1, 2, 5, 6)
    out = sobel_magnitude(maps)
    for channel, y, x in itertools.product(range(2), range(3), range(4)):
        cell = maps[0, channel, y : y + 3, x : x + 3]
        smooth = torch.tensor([1.0, 2.0, 1.0])
        across = float(((cell[:, 2] - cell[:, 0]) * smooth).sum())
        down = float(((cell[2] - cell[0]) * smooth).sum())
        assert float(out[0, channel, y, x]) == pytest.approx(math.hypot(across, down), abs=1e-4)


def test_partial_convolution_matches_the_loop() -> None:
    torch.manual_seed(0)
    layer = PartialConvolution(2, 3, stride=2).eval().requires_grad_(False)
    torch.nn.init.normal_(layer.bias)
    features, region = torch.randn(1, 2, 7, 7), (torch.rand(1, 1, 7, 7) > 0.8).float()
    out, met = layer(features, region)
    weight: Any = layer.convolve.weight
    for channel, y, x in itertools.product(range(3), range(3), range(3)):
        window = region[0, 0, 2 * y : 2 * y + 3, 2 * x : 2 * x + 3]
        count = int(window.sum())
        part = features[0, :, 2 * y : 2 * y + 3, 2 * x : 2 * x + 3] * window
        total = float((weight[channel] * part).sum()) * 9.0 / max(count, 1)
        expected = total + float(layer.bias[channel]) if count else 0.0
        assert float(out[0, channel, y, x]) == pytest.approx(expected, abs=1e-4)
        assert bool(met[0, 0, y, x]) == (count > 0)


def test_attention_of_a_layer_matches_the_loop_and_values_know_no_position() -> None:
    torch.manual_seed(0)
    config = HarmonyTransformerConfig(dim=8, depth=1, heads=2, feed_forward=8)
    layer = Layer(config)
    tokens, position = torch.randn(1, 5, 8), torch.randn(5, 8)
    query, key = layer.to_query(tokens + position)[0], layer.to_key(tokens + position)[0]
    value = layer.to_value(tokens)[0]
    rows = []
    for token in range(5):
        joined = []
        for head in range(2):
            part = slice(4 * head, 4 * head + 4)
            scores = torch.stack(
                [query[token, part] @ key[other, part] / 2.0 for other in range(5)]
            )
            joined.append((scores.softmax(0).unsqueeze(1) * value[:, part]).sum(0))
        rows.append(torch.cat(joined))
    attended = layer.attention_norm(tokens[0] + layer.join_heads(torch.stack(rows)))
    expected = layer.feed_forward_norm(attended + layer.feed_forward(attended))
    torch.testing.assert_close(layer(tokens, position)[0], expected, atol=1e-5, rtol=1e-4)


def test_places_have_codes_of_their_own() -> None:
    code = sine_code(3, 4, 16)
    assert code.shape == (12, 16)
    assert len({tuple(row) for row in code.tolist()}) == 12
    torch.testing.assert_close(code[0, :8], code[3, :8])  # one row, one half
    torch.testing.assert_close(code[1, 8:], code[5, 8:])  # one column, the other


def test_separated_attention_gives_the_background_its_gate_alone() -> None:
    torch.manual_seed(0)
    attention = SpatialSeparatedAttention(8).eval()
    features = torch.randn(1, 8, 16, 16)
    mask = torch.zeros(1, 1, 16, 16)
    out, read = attention(features, mask), pooled(features)
    torch.testing.assert_close(out, attention.of_background(read) * features)
    mask[..., :8, :] = 1.0
    out = attention(features, mask)
    whole = attention.change(attention.of_foreground(read) * features)
    whole += attention.mixed(read) * features
    torch.testing.assert_close(out[..., 3:5, 3:13], whole[..., 3:5, 3:13])  # away from the blur
    torch.testing.assert_close(attention.blur.sum(), torch.tensor(1.0))


def test_the_attention_map_lets_the_composite_through() -> None:
    torch.manual_seed(0)
    model = Is2am(IS2AM).eval()
    torch.nn.init.constant_(model.fusion.keep.bias, 100.0)  # type: ignore[arg-type]
    composite, mask, _ = clip()
    with torch.no_grad():
        torch.testing.assert_close(model(composite, mask), composite, atol=1e-5, rtol=0.0)
