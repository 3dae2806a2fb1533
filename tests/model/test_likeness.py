"""What of the foreground has its like in the background."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch.nn import functional

from tests.support.networks import LIKENESS, maps, model_with_likes, window
from vhmae.errors import InputError, ShapeError
from vhmae.model.likeness import (
    CELL,
    NO_LIKE,
    LikenessEncoder,
    describe_pairs,
    find_likes,
)
from vhmae.model.look import recolor_likes


def test_likes_are_those_that_a_loop_finds() -> None:
    torch.manual_seed(1)
    frames = torch.rand(1, 2, 3, 32, 40)
    mask = torch.zeros(1, 2, 1, 32, 40, dtype=torch.bool)
    mask[0, 0, 0, 8:24, 8:24] = True  # four whole cells
    mask[0, 1, 0, 0:8, 0:5] = True  # one cell, covered to 5/8
    mask[0, 1, 0, 16:24, 16:17] = True  # an eighth: of neither side
    features = functional.normalize(torch.randn(2, 8, 4, 5), dim=1)
    found = find_likes(features, frames, mask, dataclasses.replace(LIKENESS, cells=5))
    own, others = [], []
    for t in range(2):
        for row in range(4):
            for column in range(5):
                part = (slice(8 * row, 8 * row + 8), slice(8 * column, 8 * column + 8))
                inside = mask[0, t, 0][part]
                share = inside.float().mean()
                colors = frames[0, t][:, part[0], part[1]]
                if share >= 0.5:
                    own.append((features[t, :, row, column], colors[:, inside].mean(1)))
                if share <= 0.1:
                    others.append((features[t, :, row, column], colors[:, ~inside].mean(1)))
    assert len(own) == 5
    assert len(others) == 34
    for place, (feature, color) in enumerate(own):
        scores = torch.stack([feature @ other for other, _ in others])
        best = scores.argsort(descending=True)[: LIKENESS.likes]
        assert torch.allclose(found.foreground[0, place], color, atol=1e-5)
        assert torch.allclose(found.likeness[0, place], scores[best], atol=1e-5)
        expected = torch.stack([others[int(index)][1] for index in best])
        assert torch.allclose(found.background[0, place], expected, atol=1e-5)


def test_without_a_side_there_is_nothing_alike() -> None:
    frames = torch.rand(2, 1, 3, 32, 32)
    features = functional.normalize(torch.randn(2, 8, 4, 4), dim=1)
    for value in (True, False):
        mask = torch.full((2, 1, 1, 32, 32), value)
        found = find_likes(features, frames, mask, LIKENESS)
        assert (found.likeness == NO_LIKE).all()
        assert not found.background.any()
        assert not describe_pairs(found).any()


def test_a_thin_subject_and_a_thin_background_are_found_all_the_same() -> None:
    frames = torch.rand(1, 1, 3, 32, 32)
    features = functional.normalize(torch.randn(1, 8, 4, 4), dim=1)
    thin = torch.zeros(1, 1, 1, 32, 32, dtype=torch.bool)
    thin[..., 5] = True
    for mask in (thin, ~thin):
        found = find_likes(features, frames, mask, LIKENESS)
        assert (found.likeness[..., 0] > NO_LIKE).all()
        assert found.foreground.any()


def test_fewer_cells_than_likes_repeat_the_last() -> None:
    frames = torch.rand(1, 1, 3, 8, 16)
    features = functional.normalize(torch.randn(1, 8, 1, 2), dim=1)
    mask = torch.zeros(1, 1, 1, 8, 16, dtype=torch.bool)
    mask[..., :8] = True
    found = find_likes(features, frames, mask, LIKENESS)
    assert found.likeness.shape == (1, LIKENESS.cells, LIKENESS.likes)
    assert torch.allclose(found.background[0, 0, 0], frames[0, 0, :, :, 8:].mean((1, 2)), atol=1e-5)


def test_features_are_unit_vectors_a_cell_and_know_nothing_of_far_places() -> None:
    torch.manual_seed(0)
    encoder = LikenessEncoder(LIKENESS).eval()
    frames = torch.rand(1, 3, 128, 128)
    other = frames.clone()
    other[..., 120:, 120:] = 0.0
    with torch.no_grad():
        told, changed = encoder(frames), encoder(other)
    assert told.shape == (1, LIKENESS.dim, 128 // CELL, 128 // CELL)
    assert torch.allclose(told.norm(dim=1), torch.ones(1, 16, 16), atol=1e-5)
    # A composite's two sides have two looks: nothing measured over the frame may reach both.
    assert torch.equal(told[..., :4, :4], changed[..., :4, :4])
    assert not torch.allclose(told[..., -1, -1], changed[..., -1, -1], atol=1e-3)


def test_the_look_path_reads_likes_and_is_shown_them_again() -> None:
    composite, mask = window()
    reader = model_with_likes()
    path = reader.look_path
    assert path is not None
    torch.nn.init.normal_(path.answer.weight, std=0.1)
    with torch.no_grad():
        once = reader.predict(composite, mask)
        assert once.look is not None
        likes = once.look.likes
        assert likes is not None
        swapped = composite.clone()
        # The same colors at other places: statistics stay (nearly) the same, pairs do not.
        swapped[..., 40:, :] = swapped[..., 40:, :].flip(-1).flip(-2)
        other = reader.predict(swapped, mask)
        assert not torch.allclose(maps(once.change).overall, maps(other.change).overall, atol=1e-4)
        twice = maps(reader.look_again(once.change, composite, mask, likes=likes))
        found_anew = maps(reader.look_again(once.change, composite, mask))
        assert torch.allclose(twice.overall, found_anew.overall, atol=1e-6)
        shown = recolor_likes(likes, maps(once.change).overall)
        assert shown is not None
        assert not torch.allclose(shown.foreground, likes.foreground, atol=1e-4)
        assert torch.equal(shown.background, likes.background)


def test_a_path_that_reads_likes_does_not_go_without() -> None:
    path = model_with_likes().look_path
    assert path is not None
    sets = [torch.rand(1, 16, 3) for _ in range(4)]
    with pytest.raises(ShapeError, match="reads likes"):
        path.read(sets, torch.rand(1, 4))


@pytest.mark.parametrize("change", [{"cells": 0}, {"likes": 0}, {"width": 18}])
def test_odd_sizes_are_refused(change: dict[str, int]) -> None:
    with pytest.raises(InputError, match=r"look\.likeness"):
        dataclasses.replace(LIKENESS, **change)
