"""Making a study."""

from __future__ import annotations

import dataclasses
import json
import stat
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from starlette.testclient import TestClient

from tests.support.scenes import moving_scene, write_video
from tests.support.study import CLIPS, METHODS, Running, job_of
from tests.support.taking_part import enter
from vhmae.data.hyoutube import read_list
from vhmae.errors import InputError
from vhmae.evaluation.methods import find_method
from vhmae.evaluation.runner import evaluate
from vhmae.study.create import create_study
from vhmae.study.folder import SECRETS, VIDEOS, open_rows, read_study
from vhmae.study.job import CRITERION, Question, StudyJob
from vhmae.study.tables import StudyClip
from vhmae.video.browser import read_upright
from vhmae.video.source import probe_source
from vhmae.web.secrets import read_secrets


def videos(study: Running) -> dict[str, Path]:
    """METHOD -> the videos of all clips are alike; the last one stands."""
    return {
        method: study.folder / "videos" / f"{token}.mp4"
        for token, method in study.methods().items()
    }


def test_all_videos_have_equal_frames_and_play_in_browsers(small_study: Running) -> None:
    found = videos(small_study)
    assert set(found) == {"input", *METHODS}
    for path in found.values():
        with av.open(str(path)) as container:
            stream: Any = container.streams.video[0]
            assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
            assert stream.codec_context.colorspace == 1
            times = [frame.pts * stream.time_base for frame in container.decode(stream)]
        assert len(times) == 10  # 0.2 s at 50 frames a second
        assert times == [Fraction(number, 50) for number in range(10)]


def test_the_middle_of_a_clip_is_shown_with_its_colors(
    small_study: Running, material: Path
) -> None:
    tokens = small_study.methods()
    with small_study.database.reading() as session:
        clip = session.query(StudyClip).filter_by(name="two").one()
        token = next(s.token for s in clip.stimuli if s.method == "poor")
    assert tokens[token] == "poor"
    shown = list(
        read_upright(probe_source(small_study.folder / "videos" / f"{token}.mp4", "video"), 0, 10)
    )
    meant = list(read_upright(probe_source(material / "poor" / "two.mp4", "video"), 2, 10))
    assert np.abs(np.stack(shown).astype(float) - np.stack(meant)).mean() < 2.0


def test_a_method_may_be_run_instead_of_given(material: Path, tmp_path: Path) -> None:
    job = job_of(material, tmp_path / "study")
    job = dataclasses.replace(
        job,
        methods=[("composite", "composite"), ("mkl", "mkl"), ("fine", material / "fine")],
        masks=material / "masks",
        clips=1,
    )
    description, _ = create_study(job)
    database = open_rows(tmp_path / "study", description, None)
    study = Running(
        tmp_path / "study", description, read_secrets(tmp_path / "study" / SECRETS), database, ""
    )
    found = videos(study)
    pictures = {
        name: np.stack(list(read_upright(probe_source(path, "v"), 0, 10))).astype(float)
        for name, path in found.items()
    }
    database.engine.dispose()
    assert np.array_equal(pictures["composite"], pictures["input"])
    assert np.abs(pictures["mkl"] - pictures["input"]).mean() > 1.0


def test_a_set_in_the_hyoutube_layout_is_read_with_its_masks(data: Path, tmp_path: Path) -> None:
    evaluate(data, find_method("mkl", data), ("fmse",), write=tmp_path / "mkl")
    given: list[tuple[str, Path | str]] = [
        ("theirs", tmp_path / "mkl"),
        ("mkl", "mkl"),
        ("composite", "composite"),
    ]
    job = StudyJob(input=data, methods=given, output=tmp_path / "study", clips=4, seconds=0.2)
    description, _ = create_study(job)
    assert sorted(description.clips) == ["v1/object_1", "v1/object_2", "v2/object_1", "v3/object_1"]
    database = open_rows(tmp_path / "study", description, None)
    study = Running(
        tmp_path / "study", description, read_secrets(tmp_path / "study" / SECRETS), database, ""
    )
    pictures = {
        name: np.stack(list(read_upright(probe_source(path, "v"), 0, 3))).astype(float)
        for name, path in videos(study).items()
    }
    database.engine.dispose()
    # Written, and run here: JPEG is decoded by two libraries.
    assert (
        np.abs(pictures["theirs"] - pictures["mkl"]).mean()
        < 1.0
        < np.abs(pictures["mkl"] - pictures["input"]).mean()
    )
    with pytest.raises(
        InputError, match="holds no results of this set; expected v1/object_1/00000"
    ):
        create_study(
            dataclasses.replace(
                job, methods=[("a", data), ("mkl", "mkl")], output=tmp_path / "other"
            )
        )


@pytest.mark.parametrize("known", [False, True])
def test_pictures_of_a_set_play_as_fast_as_they_were_taken(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    """A set holds some frames of each video; one that vhmae rcvh made says how many."""
    names = [sample.video for sample in read_list(data)]
    count = len(read_list(data)[0].frame_names())
    lines = [{"name": name, "fps": "10", "frames": 4 * (count - 1) + 1} for name in names]
    monkeypatch.setattr("vhmae.study.create.read_manifest", lambda _: lines if known else [])
    methods: list[tuple[str, Path | str]] = [("mkl", "mkl"), ("composite", "composite")]
    job = StudyJob(input=data, methods=methods, output=tmp_path / "study", clips=1)
    told: list[str] = []
    create_study(job if known else dataclasses.replace(job, rate=Fraction(5, 2)), told.append)
    for file in (tmp_path / "study" / VIDEOS).iterdir():
        assert probe_source(file, "video").fps == Fraction(5, 2)
    (line,) = told
    assert f"last less than the 2 seconds wanted, the shortest {count / 2.5:.2g}" in line


def test_stills_become_clips(tmp_path: Path) -> None:
    frames, _ = moving_scene(2, 65, 47)
    for name, picture in zip(("input", "a", "b"), (frames[0], frames[1], frames[0]), strict=True):
        (tmp_path / name).mkdir()
        cv2.imwrite(str(tmp_path / name / "photo.png"), picture[..., ::-1])
    job = dataclasses.replace(
        job_of(tmp_path, tmp_path / "study"),
        methods=[("a", tmp_path / "a"), ("b", tmp_path / "b")],
        clips=1,
        seconds=1.0,
        questions=(),
    )
    description, _ = create_study(job)
    database = open_rows(tmp_path / "study", description, None)
    found = videos(
        Running(
            tmp_path / "study",
            description,
            read_secrets(tmp_path / "study" / SECRETS),
            database,
            "",
        )
    )
    database.engine.dispose()
    info = probe_source(found["a"], "video")
    assert (info.frames, info.width, info.height) == (25, 64, 46)


def test_secrets_are_for_the_owner_alone_and_names_say_nothing(small_study: Running) -> None:
    assert stat.S_IMODE((small_study.folder / "secrets.json").stat().st_mode) == 0o600
    assert read_study(small_study.folder) == small_study.description
    for path in (small_study.folder / "videos").iterdir():
        assert not any(word in path.name for word in (*METHODS, *CLIPS))


def test_clips_are_drawn_by_the_seed(material: Path, tmp_path: Path) -> None:
    chosen = [
        create_study(job_of(material, tmp_path / f"s{n}", clips=2, seed=seed))[0].clips
        for n, seed in enumerate((1, 1, 2, 3, 4))
    ]
    assert chosen[0] == chosen[1]
    assert len(set(chosen)) > 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"clips": 4}, "3 clips with all results, 4 wanted"),
        ({"seconds": 0.0}, "0.1 to 60 seconds"),
        ({"title": ""}, "`title`"),
        ({"seed": 10**30}, "`seed`"),
        ({"database": "sqlite://"}, "names no file"),
        ({"questions": (Question(label="a"), Question(label="a"))}, "`questions` a"),
        ({"database": "mysql://host/name"}, "mysql"),
        ({"database": "postgresql+psycopg://nobody:hidden@127.0.0.1:1/none"}, "cannot be used"),
    ],
)
def test_wrong_options_are_refused_and_nothing_is_left(
    material: Path, tmp_path: Path, changes: dict[str, object], said: str
) -> None:
    with pytest.raises(InputError, match=said) as refused:
        create_study(job_of(material, tmp_path / "study", **changes))
    assert "hidden" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_results_that_do_not_belong_to_their_composite_are_refused(
    material: Path, tmp_path: Path
) -> None:
    frames, _ = moving_scene(14, 64, 48)
    for name, cut in (("short", frames[:12]), ("wide", frames[:, :20])):
        (tmp_path / name).mkdir()
        for clip in CLIPS:
            write_video(tmp_path / name / f"{clip}.mp4", cut, codec="libx264")
    job = job_of(material, tmp_path / "study")
    with pytest.raises(InputError, match=r"has 12 frames but .* has 14"):
        create_study(
            dataclasses.replace(
                job, methods=[("fine", material / "fine"), ("short", tmp_path / "short")]
            )
        )
    with pytest.raises(InputError, match="is shown at 64x20 but"):
        create_study(
            dataclasses.replace(
                job, methods=[("fine", material / "fine"), ("wide", tmp_path / "wide")]
            )
        )
    (tmp_path / "short" / "two.mp4").unlink()
    with pytest.raises(InputError, match="short has no two"):
        create_study(
            dataclasses.replace(
                job, methods=[("fine", material / "fine"), ("short", tmp_path / "short")]
            )
        )
    with pytest.raises(InputError, match="give `masks`"):
        create_study(
            dataclasses.replace(job, methods=[("fine", material / "fine"), ("mkl", "mkl")])
        )
    with pytest.raises(InputError, match="needs 2 to 26 methods"):
        create_study(dataclasses.replace(job, methods=[("fine", material / "fine")]))
    with pytest.raises(InputError, match="name is taken"):
        create_study(
            dataclasses.replace(
                job, methods=[("fine", material / "fine"), ("input", material / "fine")]
            )
        )
    assert not (tmp_path / "study").exists()


@pytest.mark.parametrize(
    ("letters", "said"),
    [(200, "has no xxxx"), (201, "has a name of 201 letters; shorten it to 200")],
)
def test_names_of_clips_fit_their_column(letters: int, said: str, tmp_path: Path) -> None:
    for folder in ("input", *METHODS):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "other.mp4").touch()
    (tmp_path / "input" / "other.mp4").rename(tmp_path / "input" / f"{'x' * letters}.mp4")
    with pytest.raises(InputError, match=said):
        create_study(job_of(tmp_path, tmp_path / "study"))


def test_what_is_there_is_not_written_over(small_study: Running, material: Path) -> None:
    with pytest.raises(InputError, match="exists already"):
        create_study(job_of(material, small_study.folder))


def test_a_folder_that_is_no_study_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="vhmae study create"):
        read_study(tmp_path)
    (tmp_path / "study.json").write_text("{")
    with pytest.raises(InputError, match="damaged"):
        read_study(tmp_path)


def test_people_are_asked_in_the_papers_terms(study: Running) -> None:
    """Sec. 4.5 ranks by brightness, color and blend; an own criterion stands in its place."""
    client = TestClient(study.application())
    start = client.get("/").text
    assert enter(client).status_code == 201
    pages = (start, client.get("/rank").text)
    for page in pages:
        assert CRITERION in page
        assert all(word in CRITERION for word in ("brightness", "color", "blend"))
        assert "natural" not in page.lower()
    folder = study.folder / "study.json"
    tree = json.loads(folder.read_text())
    folder.write_text(json.dumps({**tree, "criterion": "the skin's tone"}))
    other = dataclasses.replace(study, description=read_study(study.folder))
    page = TestClient(other.application()).get("/").text
    assert "in terms of the skin&#39;s tone" in page
    assert "brightness and color" not in page
    del tree["criterion"]  # of before it was asked
    folder.write_text(json.dumps(tree))
    before = dataclasses.replace(study, description=read_study(study.folder))
    assert "in terms of" not in TestClient(before.application()).get("/").text
