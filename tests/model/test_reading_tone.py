"""Look paths that read the tone curve from neighbours, too."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from tests.support.networks import maps, model, model_with_tone, window
from vhmae.color import pixels, statistics
from vhmae.color.basis import apply_transform
from vhmae.engine.torch_network import TorchNetwork
from vhmae.errors import ShapeError
from vhmae.model.heads import blend
from vhmae.model.look import recolor_foreground
from vhmae.model.vhmae import VHMAE
from vhmae.model.window import answer_window


def path_of(network: VHMAE) -> Any:
    return network.look_path


def test_what_neighbours_show_changes_the_answer() -> None:
    """The same colours with neighbours that do not differ from them are another look."""
    path = path_of(model_with_tone())
    sets, shares = path.draw(*window())
    flat = [torch.cat([one[..., :3]] * 2, dim=-1) if one.shape[-1] == 6 else one for one in sets]
    with torch.no_grad():
        seen, smooth = (path.read(one, shares).coefficients for one in (sets, flat))
    assert [one.shape[-1] for one in sets] == [6, 6, 3, 3]
    assert not torch.allclose(seen, smooth, atol=1e-2)


def test_sets_without_neighbours_are_refused() -> None:
    with pytest.raises(ShapeError, match="reads neighbours"):
        path_of(model_with_tone()).read(*statistics.draw_pixel_sets(*window()))


def test_a_path_without_is_taken_over_and_answers_as_before() -> None:
    before, after = model(), model_with_tone()
    torch.nn.init.normal_(path_of(before).answer.weight, std=0.1)
    state = before.state_dict()
    path_of(after).take_over_without_tone(state)
    after.load_state_dict({**after.state_dict(), **state})
    with torch.no_grad():
        expected, found = (path_of(one)(*window()).coefficients for one in (before, after))
    assert expected.abs().max() > 0.01
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-5)


def test_shown_again_neighbours_are_as_harmonized_as_the_rest() -> None:
    """At half the size, of which the neighbours are those of the whole."""
    network = model_with_tone()
    path = path_of(network)
    frames, mask = window(size=64)
    with torch.no_grad():
        first = maps(network.predict(frames, mask).change)
        found = maps(network.look_again(first, frames, mask))
        beside = statistics.neighbors(frames, mask)
        made = [
            blend(first.apply(one), one, mask).clamp(0.0, 1.0)[..., ::2, ::2]
            for one in (frames, beside)
        ]
        sets = statistics.draw_pixel_sets(torch.cat(made, dim=2), mask[..., ::2, ::2])
        expected = first.overall + path.config.again * path.read(*sets).coefficients
    # local maps are laid over half the size a little differently
    torch.testing.assert_close(found.overall, expected, atol=2e-3, rtol=1e-2)
    assert not torch.allclose(found.overall, first.overall, atol=1e-2)


def test_whole_shots_are_read_with_neighbours_and_by_others_without() -> None:
    frames, mask = window()
    seen = frames[0].permute(0, 2, 3, 1).numpy().copy()
    covered = mask[0, :, 0].numpy()
    read = pixels.merge_sets([pixels.read_frame(*one) for one in zip(seen, covered, strict=True)])
    for network in (model_with_tone(), model()):
        torch.nn.init.normal_(path_of(network).answer.weight, std=0.1)
        sets = read if network.config.look.tone else pixels.without_neighbors(read)  # type: ignore[union-attr]  # it has one
        given = [torch.from_numpy(one) for one in sets[0]], torch.from_numpy(sets[1])
        with torch.no_grad():
            expected, _ = answer_window(network, frames[:1], mask[:1], given)
        answer = TorchNetwork(network, precision="fp32").ask(seen, covered, read)
        assert answer.overall is not None
        np.testing.assert_allclose(answer.overall, maps(expected).overall[0].numpy(), atol=1e-5)


def test_a_harmonized_set_keeps_each_neighbour_behind_its_pixel() -> None:
    path = path_of(model_with_tone())
    sets, _ = path.draw(*window())
    overall = 0.1 * torch.randn(2, 3, 10, generator=torch.Generator().manual_seed(1))
    made = recolor_foreground(sets, overall)
    for place in (0, 3):
        part = slice(place, place + 3)
        expected = apply_transform(sets[0][..., part], overall).clamp(0.0, 1.0)
        torch.testing.assert_close(made[0][..., part], expected)
    assert torch.equal(made[1], sets[1])
