"""The network: what it must not see, what it must not change, what it must survive."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch

from tests.support.networks import TINY, maps, model, window
from vhmae.color import statistics
from vhmae.color.basis import AFFINE, QUADRATIC, apply_transform
from vhmae.errors import InputError, ShapeError
from vhmae.model.config import LookConfig
from vhmae.model.look import LookPath, LookReading
from vhmae.model.pattern_alignment import LearnedToken, PatternAlignment
from vhmae.model.transformer import Block, position_code


def test_the_photometric_head_starts_as_the_identity() -> None:
    composite, mask = window()
    with torch.no_grad():
        assert torch.allclose(model()(composite, mask).frames, composite, atol=1e-6)


@pytest.mark.parametrize("head", ["pixel", "photometric"])
def test_pixels_outside_the_mask_are_the_composites(head: str) -> None:
    composite, mask = window()
    network = model(head=head)
    torch.nn.init.normal_(
        network.get_parameter("head.local.weight")
        if head == "photometric"
        else network.get_parameter("head.project.weight")
    )
    with torch.no_grad():
        frames = network(composite, mask).frames
    outside = ~mask.expand_as(composite)
    assert torch.equal(frames[outside], composite[outside])
    assert not torch.allclose(frames, composite)


@pytest.mark.parametrize("head", ["pixel", "photometric"])
def test_linear_layers_start_as_mae_has_it(head: str) -> None:
    """Xavier's uniform numbers, of the head that draws pixels, too; what changes colors starts from
    no change."""
    network = model(head=head)
    layers = [
        (name, layer)
        for name, layer in network.named_modules()
        if isinstance(layer, torch.nn.Linear) and not name.startswith("look_path")
    ]
    assert any(name.startswith("head") for name, _ in layers)
    for name, layer in layers:
        if name.startswith("head") and head == "photometric":
            assert not layer.weight.any(), name
        else:
            bound = (6.0 / sum(layer.weight.shape)) ** 0.5
            assert 0.95 * bound < layer.weight.abs().amax().item() <= bound, name
        assert layer.bias is None or not layer.bias.any(), name


def test_the_encoder_never_sees_the_foreground() -> None:
    composite, mask = window()
    network = model()
    changed = torch.where(mask, torch.rand_like(composite), composite)
    with torch.no_grad():
        first, second = network(composite, mask), network(changed, mask)
    visible = ~first.masked
    assert torch.allclose(
        first.background_features[visible], second.background_features[visible], atol=1e-5
    )
    assert not torch.allclose(
        first.foreground_features[first.masked], second.foreground_features[first.masked]
    )


def test_masked_attention_equals_attention_over_the_visible_tokens_alone() -> None:
    torch.manual_seed(0)
    block = Block(32, 2).eval()
    tokens, visible = torch.rand(1, 12, 32), torch.rand(1, 12) < 0.6
    with torch.no_grad():
        masked = block(tokens, visible)[visible]
        packed = block(tokens[visible][None])[0]
    assert torch.allclose(masked, packed, atol=1e-5)


@pytest.mark.parametrize("training", [False, True])
def test_the_packed_encoder_equals_the_masked_one(training: bool) -> None:
    torch.manual_seed(0)
    composite = torch.rand(3, 2, 3, 32, 32)
    mask = torch.zeros(3, 2, 1, 32, 32, dtype=torch.bool)
    mask[0, :, :, :9, :20] = True
    mask[1] = True  # nothing is visible but the scene token
    network = model(drop_path=0.0).train(training)
    torch.nn.init.normal_(network.get_parameter("head.local.weight"), std=0.1)
    found = {}
    for packed in (True, False):
        network.packed = packed
        network.zero_grad()
        torch.manual_seed(1)  # the look path's dropout
        result = network(
            composite,
            mask,
            torch.rand(3, sum(statistics.PIXELS), generator=torch.Generator().manual_seed(1)),
        )
        (result.frames.square().mean() + result.background_features.square().mean()).backward()
        gradients = [p.grad for p in network.encoder.parameters() if p.grad is not None]
        assert len(gradients) == len(list(network.encoder.parameters()))
        found[packed] = result, [gradient.clone() for gradient in gradients]
    for name in ("frames", "background_features"):
        assert torch.allclose(
            getattr(found[True][0], name), getattr(found[False][0], name), atol=1e-5
        )
    for one, other in zip(found[True][1], found[False][1], strict=True):
        assert torch.allclose(one, other, atol=1e-5)


def test_drop_path_drops_whole_samples_of_packed_tokens() -> None:
    from vhmae.model.transformer import DropPath

    torch.manual_seed(0)
    kept = DropPath(0.5).train()(torch.ones(60, 2), [10, 20, 30])
    parts = kept.split([10, 20, 30])
    assert all(
        bool((part == part[0, 0]).all()) and float(part[0, 0]) in (0.0, 2.0) for part in parts
    )


@pytest.mark.parametrize("look", [True, False])
def test_a_window_all_foreground_gives_finite_numbers(look: bool) -> None:
    composite, mask = window()
    network = model(look=TINY.look if look else None)
    with torch.no_grad():
        frames = network(composite, torch.ones_like(mask)).frames
    assert torch.isfinite(frames).all()


def test_a_window_without_foreground_comes_back_as_it_is() -> None:
    composite, mask = window()
    with torch.no_grad():
        assert torch.equal(model()(composite, torch.zeros_like(mask)).frames, composite)


def test_samples_of_a_batch_do_not_touch_each_other() -> None:
    composite, mask = window()
    network = model()
    torch.nn.init.normal_(network.get_parameter("head.local.weight"))
    with torch.no_grad():
        both = network(composite, mask).frames
        alone = network(composite[:1], mask[:1]).frames
    assert torch.allclose(both[:1], alone, atol=1e-5)


@pytest.mark.parametrize(("frames", "size"), [(1, 64), (4, 64), (2, 96)])
def test_other_sizes_and_clip_lengths_need_no_new_weights(frames: int, size: int) -> None:
    composite, mask = window(frames=frames, size=size)
    with torch.no_grad():
        assert model()(composite, mask).frames.shape == composite.shape


def test_places_are_relative_to_the_frame() -> None:
    small, large = (
        position_code(1, 8, 8, 64).reshape(8, 8, 64),
        position_code(1, 16, 16, 64).reshape(16, 16, 64),
    )
    between = (large[0::2, 0::2] + large[1::2, 0::2] + large[0::2, 1::2] + large[1::2, 1::2]) / 4
    assert (small - between).abs().mean() < 0.05
    assert (small - large[:8, :8]).abs().mean() > 0.1


def test_the_learned_token_stands_for_the_pattern_alignment_module() -> None:
    network = model(content="token")
    composite, mask = window()
    with torch.no_grad():
        result = network(composite, mask)
    assert isinstance(network.pattern_alignment, LearnedToken)
    assert torch.equal(result.foreground_features[0, 0], result.foreground_features[1, -1])


def test_the_transform_applies_at_any_size() -> None:
    composite, mask = window()
    network = model()
    torch.nn.init.normal_(network.get_parameter("head.local.weight"), std=0.02)
    torch.nn.init.normal_(network.get_parameter("head.overall.weight"), std=0.02)
    with torch.no_grad():
        result = network(composite, mask)
    applied = torch.where(mask, result.change.apply(composite), composite)
    assert torch.allclose(applied, result.frames, atol=1e-6)
    flat = torch.full((2, 2, 3, 200, 120), 0.4)
    assert result.change.apply(flat).shape == flat.shape


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image_size": 250}, "try 240 or 256"),
        ({"clip_frames": 3}, "try 4"),
        ({"embed_dim": 36, "encoder_heads": 2}, "multiple of 8"),
    ],
)
def test_a_wrong_size_is_refused_with_the_remedy(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        dataclasses.replace(TINY, **changes)


def test_wrong_shapes_are_refused() -> None:
    composite, mask = window()
    with pytest.raises(ShapeError, match=r"B, T, 3, H, W"):
        model()(composite, mask[:, :1])
    with pytest.raises(ShapeError, match=r"B, T, 3, H, W"):
        model()(torch.cat([composite, composite[:, :, :1]], dim=2), mask)
    with pytest.raises(ShapeError, match=r"B, T, 3, H, W"):
        model()(composite, mask[:, :, :, 1:])


def test_a_reading_is_packed_and_taken_apart_again() -> None:
    torch.manual_seed(0)
    reading = LookReading(torch.randn(4, 2, 3, QUADRATIC), torch.randn(2, 4 * 5))
    again = LookReading.unpacked(reading.packed())
    torch.testing.assert_close(again.member_coefficients, reading.member_coefficients)
    torch.testing.assert_close(again.hidden, reading.hidden)


def test_a_member_alone_speaks_for_the_scenes_that_it_has_not_seen() -> None:
    composite, mask = window()
    network = model(trust=True)
    assert network.look_path is not None
    torch.nn.init.normal_(network.get_parameter("look_path.answer.weight"), std=0.1)
    source = torch.tensor([4, 7])  # two members: of the first and of the second fold
    with torch.no_grad():
        alone, together = (
            network.predict(composite, mask, source=source),
            network.predict(composite, mask),
        )
    assert alone.look is not None
    assert together.look is not None
    members = together.look.member_coefficients
    assert torch.equal(alone.look.coefficients, torch.stack([members[0, 0], members[1, 1]]))
    width = TINY.look.width if TINY.look else 0
    assert torch.equal(alone.look.hidden[0, :width], 2 * together.look.hidden[0, :width])
    assert not alone.look.hidden[0, width:].any()


def test_the_look_path_answers_with_the_mean_of_its_members() -> None:
    members = torch.tensor([1.0, 2.0, 6.0]).view(3, 1, 1, 1).expand(3, 2, 3, QUADRATIC)
    assert torch.equal(
        LookReading(members, torch.zeros(2, 3)).coefficients, torch.full((2, 3, QUADRATIC), 3.0)
    )


@pytest.mark.parametrize(("usual", "seen"), [(10.0, -4.0), (-10.0, 4.0)])
def test_statistics_far_from_the_usual_are_held_at_four_deviations(
    usual: float, seen: float
) -> None:
    path = LookPath(LookConfig(members=2, width=16, histogram_width=8)).eval()
    path.get_buffer("normalize.running_mean").fill_(usual)  # no statistic of colors comes near this
    read: list[torch.Tensor] = []
    path.first.register_forward_pre_hook(
        lambda _, inputs: read.append(inputs[0][..., : path.normalize.num_features])
    )
    with torch.no_grad():
        path(*window())
    assert torch.equal(read[0], torch.full_like(read[0], seen))


def test_the_pixel_head_adds_what_the_look_path_says() -> None:
    composite, mask = window()
    network = model(head="pixel")
    assert network.look_path is not None
    with torch.no_grad():
        before = network(composite, mask).frames
        # Every member answers: red 0.1 higher, blue 0.2 times the composite's green lower.
        network.look_path.answer.bias.view(-1, 3, QUADRATIC)[:, 0, 3] = 0.1
        network.look_path.answer.bias.view(-1, 3, QUADRATIC)[:, 2, 1] = -0.2
        after = network(composite, mask).frames
    moved = torch.stack(
        [
            torch.full_like(composite[:, :, 0], 0.1),
            torch.zeros_like(composite[:, :, 0]),
            -0.2 * composite[:, :, 1],
        ],
        dim=2,
    )
    assert torch.allclose(after - before, moved * mask, atol=1e-5)


def test_pattern_alignment_is_three_layers_with_gelu_between_and_a_norm_behind() -> None:
    torch.manual_seed(0)
    module = PatternAlignment(12, 16, 8)
    first, second, third = (
        layer for layer in module.modules() if isinstance(layer, torch.nn.Linear)
    )

    def gelu(
        values: torch.Tensor,
    ) -> torch.Tensor:  # a value times the chance that a normal number lies below it
        return values * 0.5 * (1.0 + torch.erf(values / 2.0**0.5))

    with torch.no_grad():
        patches = 3.0 * torch.randn(1, 5, 12)
        plain = third(gelu(second(gelu(first(patches)))))
        centred = plain - plain.mean(-1, keepdim=True)
        expected = centred / (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt()
        assert torch.allclose(module(patches), expected, atol=1e-5)


def test_trust_starts_at_one_and_scales_the_look_path_alone() -> None:
    composite, mask = window()
    network = model(trust=True)
    assert network.look_path is not None
    torch.nn.init.normal_(network.get_parameter("look_path.answer.weight"), std=0.1)
    with torch.no_grad():
        full = network.predict(composite, mask)
        assert full.look is not None
        assert torch.allclose(maps(full.change).overall, full.look.coefficients, atol=1e-6)
        network.get_parameter("head.trust.bias").fill_(-30.0)
        assert maps(network.predict(composite, mask).change).overall.abs().max() < 1e-6


def test_without_a_residual_the_whole_foreground_has_one_map() -> None:
    composite, mask = window()
    network = model(residual=False)
    assert network.look_path is not None
    torch.nn.init.normal_(network.get_parameter("look_path.answer.weight"), std=0.1)
    with torch.no_grad():
        change = maps(network.predict(composite, mask).change)
    assert change.local.shape[-2:] == (3, AFFINE)
    assert not change.local.any()
    assert change.overall.any()


def test_the_look_path_is_shown_again_what_it_made_of_the_frames() -> None:
    composite, mask = window()
    assert TINY.look is not None
    network = model(look=dataclasses.replace(TINY.look, again=0.5))
    assert network.look_path is not None
    torch.nn.init.normal_(network.get_parameter("look_path.answer.weight"), std=0.1)
    with torch.no_grad():
        once = maps(network.predict(composite, mask).change)
        twice = maps(network.look_again(once, composite, mask))
        part, inside = composite[..., ::2, ::2], mask[..., ::2, ::2]
        shown = torch.where(inside, once.apply(part).clamp(0.0, 1.0), part)
        expected = once.overall + 0.5 * network.look_path(shown, inside).coefficients
        assert torch.allclose(twice.overall, expected, atol=1e-6)
        assert not torch.allclose(twice.overall, once.overall, atol=1e-4)
        plain = model(look=dataclasses.replace(TINY.look, again=0.0))
        assert plain.look_again(once, composite, mask) is once


def test_weights_held_in_half_precision_say_what_autocast_says() -> None:
    composite, mask = window()
    network = model()
    assert network.look_path is not None
    for parameter in (
        network.get_parameter("look_path.answer.weight"),
        network.get_parameter("head.overall.weight"),
    ):
        torch.nn.init.normal_(parameter, std=0.1)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        cast = maps(network.look_again(network.predict(composite, mask).change, composite, mask))
        network.hold_at(torch.bfloat16)
        held = maps(network.look_again(network.predict(composite, mask).change, composite, mask))
    assert cast.overall.abs().max() > 0.01
    assert torch.equal(held.overall, cast.overall)
    assert torch.equal(held.local, cast.local)


@pytest.mark.parametrize("thin", ["foreground", "background"])
def test_thin_sides_of_the_mask_are_shown_again_at_full_size(thin: str) -> None:
    composite, mask = window()
    mask = torch.full_like(mask, thin == "background")
    mask[..., 1::2, 3] = thin == "foreground"  # odd rows alone: none is left of it by halves
    network = model(look=dataclasses.replace(TINY.look, again=0.5))  # type: ignore[type-var]  # it has a look path
    assert network.look_path is not None
    torch.nn.init.normal_(network.get_parameter("look_path.answer.weight"), std=0.1)
    with torch.no_grad():
        once = maps(network.predict(composite, mask).change)
        shown = torch.where(mask, once.apply(composite).clamp(0.0, 1.0), composite)
        expected = once.overall + 0.5 * network.look_path(shown, mask).coefficients
        assert torch.allclose(
            maps(network.look_again(once, composite, mask)).overall, expected, atol=1e-6
        )


def test_given_pixel_sets_are_shown_again_under_the_overall_map() -> None:
    composite, mask = window()
    network = model(look=dataclasses.replace(TINY.look, again=0.5))  # type: ignore[type-var]  # it has a look path
    assert network.look_path is not None
    torch.nn.init.normal_(network.get_parameter("look_path.answer.weight"), std=0.1)
    sets, shares = statistics.draw_pixel_sets(composite, mask)
    with torch.no_grad():
        once = maps(network.predict(composite, mask, sets=(sets, shares)).change)
        shown = [
            apply_transform(sets[0], once.overall),
            sets[1],
            apply_transform(sets[2], once.overall),
            sets[3],
        ]
        expected = (
            once.overall
            + 0.5
            * network.look_path.read(
                [colors.clamp(0.0, 1.0) for colors in shown], shares
            ).coefficients
        )
        assert torch.allclose(
            maps(network.look_again(once, composite, mask, (sets, shares))).overall,
            expected,
            atol=1e-6,
        )


@pytest.mark.parametrize("masking", ["random", "tube", "block", "none"])
def test_other_maskings_change_the_encoders_view_alone(masking: str) -> None:
    """The foreground's content comes from the Pattern Alignment Module in all of them, and the same
    seed hides the same tokens."""
    composite, mask = window()
    network = model(masking=masking, head="pixel", look=None)
    with torch.no_grad():
        said, again, *others = (
            network(composite, mask, masking_seed=seed) for seed in (5, 5, *range(6, 12))
        )
        plain = model(head="pixel", look=None)(composite, mask)
    assert torch.equal(said.foreground, plain.foreground)
    assert torch.allclose(said.foreground_features, plain.foreground_features)
    assert torch.equal(said.frames, again.frames)
    assert torch.equal(said.visible_background, ~said.masked & ~said.foreground)
    if masking == "none":
        assert not bool(said.masked.any())
    else:
        assert not all(torch.equal(said.masked, other.masked) for other in others)


def test_content_reaches_the_drawing_where_the_encoder_sees_everything() -> None:
    composite, mask = window()
    network = model(masking="none", head="pixel", look=None)
    with torch.no_grad():
        before = network(composite, mask).frames
        for parameter in network.pattern_alignment.parameters():
            parameter.zero_()
        assert not torch.allclose(network(composite, mask).frames, before)


def test_patches_go_in_between_minus_one_and_one() -> None:
    """As the paper's own normalization has it: mid gray is nothing."""
    composite, mask = window()
    seen: list[torch.Tensor] = []
    network = model()
    network.get_submodule("embed").register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    with torch.no_grad():
        for level in (0.0, 0.5, 1.0):
            network(torch.full_like(composite, level), mask)
    assert [float(one.unique()) for one in seen] == [-1.0, 0.0, 1.0]
