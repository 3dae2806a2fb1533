"""Color transforms: identity, agreement with loops, fitting."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vhmae.color.basis import AFFINE, QUADRATIC, apply_transform, color_basis, fit_transform
from vhmae.color.transform import (
    apply_grid,
    apply_grid_plainly,
    luma_basis,
    nearest_transform,
    upsample_grid,
)
from vhmae.errors import ShapeError


@pytest.mark.parametrize("size", [AFFINE, QUADRATIC])
def test_zero_coefficients_are_the_identity(size: int) -> None:
    colors = torch.rand(5, 40, 3)
    assert torch.equal(apply_transform(colors, torch.zeros(5, 3, size)), colors)


def test_matches_the_polynomial_written_out() -> None:
    torch.manual_seed(0)
    k = torch.randn(3, QUADRATIC)
    r, g, b = 0.2, 0.5, 0.8
    terms = [r, g, b, 1.0, r * r, g * g, b * b, r * g, g * b, b * r]
    expected = [
        color + sum(float(k[c, i]) * terms[i] for i in range(10))
        for c, color in enumerate((r, g, b))
    ]
    got = apply_transform(torch.tensor([[r, g, b]]), k)[0]
    assert got.tolist() == pytest.approx(expected, abs=1e-6)


@settings(max_examples=25, deadline=None)
@given(
    rows=st.integers(1, 5),
    columns=st.integers(1, 5),
    height=st.integers(5, 40),
    width=st.integers(5, 40),
)
def test_a_constant_grid_is_one_map_everywhere(
    rows: int, columns: int, height: int, width: int
) -> None:
    coefficients = torch.randn(3, AFFINE)
    frames = torch.rand(1, 2, 3, height, width)
    gridded = apply_grid(frames, coefficients.expand(1, 2, rows, columns, 3, AFFINE))
    whole = apply_transform(frames.permute(0, 1, 3, 4, 2).reshape(1, -1, 3), coefficients[None])
    assert torch.allclose(gridded.permute(0, 1, 3, 4, 2).reshape(1, -1, 3), whole, atol=1e-5)


def test_the_grid_and_its_gradient_are_those_of_the_reference() -> None:
    torch.manual_seed(2)
    frames, weight = torch.rand(2, 2, 3, 30, 44), torch.rand(2, 2, 3, 30, 44)
    grid = torch.randn(2, 2, 3, 5, 3, AFFINE)
    answers = []
    for apply in (apply_grid, apply_grid_plainly):
        leaf = grid.clone().requires_grad_(True)
        moved = apply(frames, leaf)
        (moved * weight).sum().backward()
        assert leaf.grad is not None
        answers.append((moved.detach(), leaf.grad))
    (fast, fast_gradient), (plain, plain_gradient) = answers
    assert torch.allclose(fast, plain, atol=1e-5)
    assert torch.allclose(fast_gradient, plain_gradient, rtol=1e-4, atol=1e-4)


def test_frames_have_a_gradient_too_where_they_want_one() -> None:
    torch.manual_seed(2)
    frames, grid = torch.rand(1, 1, 3, 12, 16), torch.randn(1, 1, 2, 3, 3, AFFINE)
    found = []
    for apply in (apply_grid, apply_grid_plainly):
        leaf = frames.clone().requires_grad_(True)
        apply(leaf, grid).square().sum().backward()
        found.append(leaf.grad)
    assert found[0] is not None
    torch.testing.assert_close(found[0], found[1])


def test_upsampling_is_smooth_across_cells() -> None:
    grid = torch.randn(1, 1, 4, 4, 3, AFFINE)
    fine = upsample_grid(grid, 64, 64)
    steps = fine.diff(dim=3).abs().amax()
    coarse = grid.diff(dim=3).abs().amax()
    assert steps <= coarse / 16 * 1.001  # a cell's difference is spread over its 16 pixels


def test_fit_recovers_a_map() -> None:
    torch.manual_seed(1)
    colors = torch.rand(500, 3)
    true = 0.2 * torch.randn(3, QUADRATIC)
    found = fit_transform(colors, apply_transform(colors, true), ridge=1e-9)
    assert torch.allclose(found.float(), true, atol=1e-3)


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(ShapeError, match="last axis"):
        color_basis(torch.rand(3, 4))
    with pytest.raises(ShapeError, match="terms"):
        color_basis(torch.rand(4, 3), 7)


def test_affine_maps_along_luma_are_told_as_the_quadratic_nearest_to_them() -> None:
    rgb = torch.rand(2, 400, 3, generator=torch.Generator().manual_seed(0))
    basis = luma_basis(rgb)
    assert basis.shape == (2, 400, 12)
    assert torch.allclose(
        basis.unflatten(-1, (3, 4)).sum(2), color_basis(rgb, AFFINE), atol=1e-6
    )  # the levels' weights sum to one
    own = torch.randn(2, 3, 12, generator=torch.Generator().manual_seed(1)) * 0.1
    told = own @ nearest_transform(rgb, basis).transpose(1, 2)
    wanted = rgb + basis @ own.transpose(1, 2)
    fitted = torch.stack(
        [
            fit_transform(colors, target, ridge=1e-5)
            for colors, target in zip(rgb, wanted, strict=True)
        ]
    )
    assert torch.allclose(told, fitted.float(), atol=1e-4)
    one_map = own[..., :4].repeat(1, 1, 3)  # the same at every level is affine, and told as it is
    assert torch.allclose(
        (one_map @ nearest_transform(rgb, basis).transpose(1, 2))[..., :AFFINE],
        own[..., :4],
        atol=2e-3,
    )
