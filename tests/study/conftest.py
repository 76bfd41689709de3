"""One study of a small project, for the tests that only read it, and files of ratings as its page saves them."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fca.artifacts.text import shuffled
from fca.config import Config
from fca.study.build import build
from fca.study.files import CRITERIA, RATINGS_KIND, Key
from tests.report.project import make_config, make_project

CAPTIONS = [
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    """"double" 'single' & </style> </title> --> {{ config }}""",
    "\u0627\u062f\u0641\u0639 \u0627\u0644\u0643\u062a\u0644\u0629 \u202eabc",
    "x" * 600,
    "na\u00efve \u7ea2\u8272 \U0001f7e5",
]
DATASETS = ["ssv2", "bridge"]
VARIANTS = ["fca", "base", "repeat"]


def participant_order(seed: str, participant: str, clips: Mapping[str, Iterable[str]]) -> list[tuple[str, list[str]]]:
    """What templates/order.js computes: a participant's clips in order, each with its items from left to right."""

    def order(names: Iterable[str], *keys: str) -> list[str]:
        return shuffled(names, seed, participant, *keys, separator="|")

    return [(clip, order(clips[clip], clip)) for clip in order(clips)]


@dataclass(frozen=True)
class Study:
    config: Config
    folder: Path
    page: Path
    key: Key


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Three clips of each of two datasets, three variants: 18 items, 54 ratings."""
    folder = tmp_path_factory.mktemp("study")
    config = make_config(folder)
    make_project(config, CAPTIONS)
    page, key = build(config, DATASETS, VARIANTS, 3, 42, folder / "study")
    return Study(config, folder / "study", page, Key.read(key))


Rate = Callable[[str, str, int], int]
"""(variant, criterion, number of the item) -> rating"""


@pytest.fixture
def hand_in(study: Study, tmp_path: Path) -> Callable[..., Path]:
    """Write a participant's file; `changes` are made after its digest is taken."""

    def write(participant: str, rate: Rate = lambda variant, criterion, number: 3, /, **changes: Any) -> Path:
        ratings = {
            name: {criterion: rate(item.variant, criterion, number) for criterion in CRITERIA}
            for number, (name, item) in enumerate(study.key.items.items())
        }
        return write_file(tmp_path / f"{participant}.json", study.key, participant, ratings, **changes)

    return write


def write_file(path: Path, key: Key, participant: str, ratings: dict[str, Any], /, **changes: Any) -> Path:
    values = {"kind": RATINGS_KIND, "version": 1, "study": key.study, "participant": participant, "ratings": ratings,
              "digest": key.digest(participant, ratings)}  # fmt: skip
    path.write_text(json.dumps(values | changes), encoding="utf-8")
    return path
