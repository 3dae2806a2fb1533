"""No table of an older package stands unmarked."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path
from types import ModuleType

import pytest

from vhmae.data.digests import settings_digest
from vhmae.evaluation.network import weights_digest
from vhmae.evaluation.protocols import PROTOCOLS

ROOT = Path(__file__).parents[1]


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("tables")


def test_a_table_is_of_today_or_says_its_commit(tables: ModuleType) -> None:
    commits = {name: tables.older(name) for name in tables.EVALUATED}
    text = "\n".join((ROOT / page).read_text() for page in tables.PAGES)
    blocks = re.findall(r"<!-- ([\w-]+) -->\n(.*?)<!-- end -->", text, flags=re.DOTALL)
    shown = {name for name, _ in blocks}
    for source, names in tables.EVALUATED.items():
        assert shown & {*names}, f"{source}: none of its tables is shown under these names"
        for name, block in blocks:
            if name in names:
                marks = re.findall(r"Measured at (\w+)\.", block)
                assert (commits[source] in marks) == bool(commits[source]), name
                assert {*marks} <= {*commits.values()}, name


def test_other_digests_are_told_from_todays(
    tables: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "RESULTS", tmp_path)
    settings = {"protocol": "clean", "version": PROTOCOLS["clean"].version, "size": None}
    digests = {"weights": weights_digest("default"), "protocol": settings_digest(settings)}
    row = {"settings": settings, "method_facts": {"weights": "default"}, "digests": digests}

    def older(**changes: object) -> str:
        result = {"hardware": {"commit": "abc1234"}, "scores": [row, {**row, **changes}]}
        (tmp_path / "scores.json").write_text(json.dumps(result))
        return str(tables.older("scores"))

    assert older() == ""
    assert older(digests={**digests, "weights": "0"}) == "abc1234"
    assert older(digests={**digests, "protocol": "0"}) == "abc1234"
    assert older(digests=None) == "abc1234"
