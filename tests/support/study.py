"""A small study of three clips and four methods, and its application on each database."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi import FastAPI
from sqlalchemy import select

from tests.support.databases import KINDS, fresh_database
from tests.support.scenes import moving_scene, write_video
from vhmae.study.create import create_study
from vhmae.study.folder import Description, open_rows
from vhmae.study.job import Question, StudyJob
from vhmae.study.pages import make_study_application
from vhmae.study.tables import Stimulus, StudyClip
from vhmae.web.database import Database
from vhmae.web.secrets import Secrets

METHODS = ("fine", "fair", "poor", "bad")
CLIPS = ("one", "two", "three")
FPS = 50
QUESTIONS = (Question(label="Screen", choices=("phone", "desktop")), Question(label="Years"))


@dataclasses.dataclass(frozen=True)
class Running:
    """A study and all that belongs to it."""

    folder: Path
    description: Description
    secrets: Secrets
    database: Database
    url: str

    def application(self, rate: int = 0, prefix: str = "") -> FastAPI:
        return make_study_application(
            self.folder, self.description, self.secrets, self.database, rate, prefix=prefix
        )

    def methods(self) -> dict[str, str]:
        """Token -> method."""
        with self.database.reading() as session:
            mine = select(Stimulus).join(StudyClip).where(StudyClip.study_id == self.description.id)
            return {stimulus.token: stimulus.method for stimulus in session.scalars(mine)}


@pytest.fixture(scope="session")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of composites, masks and the results of four methods."""
    root = tmp_path_factory.mktemp("material")
    for folder in ("input", "masks", *METHODS):
        (root / folder).mkdir()
    for number, clip in enumerate(CLIPS):
        frames, masks = moving_scene(14, 64, 48)
        frames = np.roll(frames, 7 * number, axis=2)
        masks = np.roll(masks, 7 * number, axis=2)
        write_video(root / "input" / f"{clip}.mp4", frames, codec="libx264", fps=FPS)
        write_video(root / "masks" / f"{clip}.mkv", masks.astype(np.uint8) * 255, fps=FPS)
        for strength, method in enumerate(METHODS):
            changed = frames.copy()
            changed[masks] = np.clip(
                changed[masks] + np.array([20 * strength, 0, -20 * strength]), 0, 255
            )
            write_video(root / method / f"{clip}.mp4", changed, codec="libx264", fps=FPS)
    return root


def job_of(material: Path, output: Path, **changes: object) -> StudyJob:
    values: dict[str, Any] = {
        "clips": 3,
        "seconds": 0.2,
        "questions": QUESTIONS,
        "seed": 5,
        **changes,
    }
    return StudyJob(
        input=material / "input",
        methods=[(name, material / name) for name in METHODS],
        output=output,
        **{**values, **changes},
    )


@pytest.fixture(params=KINDS)
def study(request: pytest.FixtureRequest, material: Path, tmp_path: Path) -> Iterator[Running]:
    """A study on SQLite and on PostgreSQL."""
    with fresh_database(request.param, tmp_path) as url:
        yield from _running(material, tmp_path / "study", url)


@pytest.fixture
def small_study(material: Path, tmp_path: Path) -> Iterator[Running]:
    """A study in its own folder alone."""
    yield from _running(material, tmp_path / "study", None)


@pytest.fixture
def brief_study(material: Path, tmp_path: Path) -> Iterator[Running]:
    """Two clips, for many people."""
    yield from _running(material, tmp_path / "study", None, clips=2)


def _running(material: Path, folder: Path, url: str | None, clips: int = 3) -> Iterator[Running]:
    description, secrets = create_study(job_of(material, folder, database=url, clips=clips))
    database = open_rows(folder, description, url)
    yield Running(folder, description, secrets, database, url or "")
    database.engine.dispose()
