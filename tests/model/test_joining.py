"""Look paths joined: each member answers as it did."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.support.networks import TINY, model, model_with_likes, window
from vhmae.cli import main
from vhmae.errors import InputError
from vhmae.model.files import read_card
from vhmae.model.job import JoinJob
from vhmae.model.joining import join_look_paths
from vhmae.model.vhmae import VHMAE
from vhmae.model.weights import save_model


def trained(seed: int, members: int) -> VHMAE:
    """A network whose look path has learned a scale of its own, and says something."""
    assert TINY.look is not None
    network = model(look=dataclasses.replace(TINY.look, members=members))
    path = network.look_path
    assert path is not None
    torch.manual_seed(seed)
    for parameter in path.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    path.train()
    for _ in range(20):
        frames = torch.rand(4, 2, 3, 32, 32) ** (0.5 + seed)
        mask = torch.rand(4, 2, 1, 32, 32) < 0.4
        path(frames, mask)
    return network.eval()


def test_members_answer_as_before() -> None:
    networks = [trained(1, 2), trained(2, 3)]
    joined = join_look_paths(networks)
    assert joined.config.look is not None
    assert joined.config.look.members == 5
    frames, mask = window()
    with torch.no_grad():
        before = [network.look_path(frames, mask) for network in networks]  # type: ignore[misc]  # they have one
        found = joined.look_path(frames, mask)  # type: ignore[misc]
    expected = torch.cat([one.member_coefficients for one in before])
    torch.testing.assert_close(found.member_coefficients, expected, atol=1e-4, rtol=1e-3)
    assert not torch.allclose(expected[0], expected[-1], atol=1e-2)
    hidden = torch.cat([one.hidden for one in before], dim=1)
    torch.testing.assert_close(found.hidden, hidden, atol=1e-4, rtol=1e-3)


def test_a_part_of_the_members_can_join() -> None:
    networks = [trained(1, 3), trained(2, 3)]
    joined = join_look_paths(networks, [2, 1])
    frames, mask = window()
    with torch.no_grad():
        both = [network.look_path(frames, mask).member_coefficients for network in networks]  # type: ignore[misc]
        found = joined.look_path(frames, mask).member_coefficients  # type: ignore[misc]
    torch.testing.assert_close(found, torch.cat([both[0][:2], both[1][:1]]), atol=1e-4, rtol=1e-3)
    for counts in ([2], [4, 1], [0, 1]):
        with pytest.raises(InputError, match="at most 3, 3"):
            join_look_paths(networks, counts)


def test_one_network_keeps_its_first_members() -> None:
    network = trained(1, 3)
    alone = join_look_paths([network], [2])
    frames, mask = window()
    with torch.no_grad():
        whole = network.look_path(frames, mask).member_coefficients  # type: ignore[misc]  # it has one
        found = alone.look_path(frames, mask).member_coefficients  # type: ignore[misc]
    torch.testing.assert_close(found, whole[:2], atol=1e-4, rtol=1e-3)


def test_tokens_hear_the_first_networks_members() -> None:
    first, second = trained(1, 2), trained(2, 2)
    joined = join_look_paths([first, second])
    frames, mask = window()
    with torch.no_grad():
        alone, together = first(frames, mask), joined(frames, mask)
        overall = first.look_path(frames, mask).coefficients  # type: ignore[misc]
        mean = joined.look_path(frames, mask).coefficients  # type: ignore[misc]
    added = together.change.maps().overall - mean.unsqueeze(1).squeeze()
    expected = alone.change.maps().overall - overall.unsqueeze(1).squeeze()
    torch.testing.assert_close(added, expected, atol=1e-4, rtol=1e-3)


def test_what_differs_in_more_than_members_is_refused() -> None:
    first = trained(1, 2)
    with pytest.raises(InputError, match="have no look path"):
        join_look_paths([first, model(look=None)])
    with pytest.raises(InputError, match="by an encoder of their own"):
        join_look_paths([first, model_with_likes()])
    with pytest.raises(InputError, match="other architectures"):
        join_look_paths([first, model(embed_dim=64)])


def test_joined_weights_say_what_went_in(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = []
    for name, licence in (("a", "CC0"), ("b", "research use only")):
        files.append(tmp_path / f"{name}.safetensors")
        facts: dict[str, object] = {"steps": 3, "seed": 1, "data": ["one"], "licence": licence}
        save_model(trained(1, 2), files[-1], facts)
    out = tmp_path / "joined.safetensors"
    assert main(["weights", "join", *map(str, files), "-o", str(out)]) == 0
    assert "4 members" in capsys.readouterr().out
    card = read_card(str(out))
    assert card.config.look is not None
    assert card.config.look.members == 4
    assert card.facts["joined"] == [hashlib.sha256(one.read_bytes()).hexdigest() for one in files]
    assert card.facts["licence"] == "CC0; research use only"
    assert (card.facts["steps"], card.facts["data"]) == (6, ["one"])
    told = ["weights", "join", *map(str, files), "-o", str(out), "--licence", "none", "-q"]
    assert main(told) == 0
    assert read_card(str(out)).facts["licence"] == "none"
    for name in ("w.txt", "weights"):
        assert main(["weights", "join", *map(str, files), "-o", str(tmp_path / name)]) == 2
        assert f"-o {tmp_path / name}: is no name of weights" in capsys.readouterr().err
        assert not (tmp_path / name).exists()
    assert main(["weights", "join", str(out), "-o", str(out), "--members", "5,x"]) == 2
    assert "'5,x': expected numbers as 5,4" in capsys.readouterr().err


def test_the_output_of_a_join_may_be_a_text() -> None:
    text: Any = "joined.safetensors"
    assert JoinJob(weights=("a", "b"), output=text).output == text
    with pytest.raises(InputError, match=r"`output` joined\.pt: is no name of weights"):
        JoinJob(weights=("a", "b"), output=text.replace("safetensors", "pt"))
