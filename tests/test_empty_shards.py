"""From fetch to scores where all clips of a shard are left out: the other clips' results are what they would be."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fca.artifacts.check import check
from fca.artifacts.manifest import Manifest
from fca.artifacts.shards import Shard
from fca.cli.main import main
from fca.config import Config, Layout
from fca.data.clip_record import read_records
from fca.data.clip_source import IndexedClips
from fca.report.page import report
from fca.study.build import build
from fca.study.files import Key
from tests.conftest import small_config

CLIPS, SHARD = 6, 2
EMPTY = {"train": 0, "validation": 1}
"""Shard of each split that loses all of its clips."""


def configured(folder: Path, base: Path, shard_clips: int, **more: Any) -> Config:
    """One dataset of library clips; batches of one, which round alike whatever lies beside a clip."""
    values = small_config(folder, base).model_dump(mode="json")
    split = {"clips": CLIPS, "shard_clips": shard_clips}
    made = {"train": split, "validation": split, "library": {"train": CLIPS, "validation": CLIPS}}
    values["datasets"] = {"ssv2": values["datasets"]["ssv2"] | made | more}
    for step in ("encode", "sample", "score"):
        values[step]["batch_size"] = 1
    values["score"] |= {"bootstrap": 20, "vbench": None}
    return Config.model_validate(values)


def run(config: Config, *arguments: object) -> None:
    """An `fca` command, as the workflow calls it."""
    path = Layout(config).root / "config.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(config.model_dump_json())
    step, *others = map(str, arguments)
    assert main([*step.split(), "-c", str(path), *others]) == 0, arguments


def chain(config: Config) -> None:
    """Every step between the index and the scores."""
    run(config, "data verify", "ssv2", "--quarantine")
    for shard in Layout(config).shards("ssv2", "train"):
        run(config, "encode", "ssv2", "train", "--shard", shard)
    for shard in Layout(config).shards("ssv2", "validation"):
        run(config, "resample", "ssv2", "validation", "--shard", shard)
        run(config, "encode", "ssv2", "validation", "--shard", shard)
    run(config, "train", "ssv2", "fca")
    for kind in ("validation", "opposite"):
        for shard in Layout(config).shards("ssv2", "validation"):
            run(config, "sample", "ssv2", "fca", "--kind", kind, "--shard", shard)
    run(config, "sample", "ssv2", "fca", "--kind", "edited", "--shard", 0)
    run(config, "score", "ssv2", "fca")
    run(config, "score", "ssv2", "repeat")
    run(config, "score-vae-roundtrip", "ssv2")


def videos(config: Config, kind: str) -> dict[str, np.ndarray]:
    layout, found = Layout(config), {}
    for number in layout.sample_shards("ssv2", kind):
        with Shard(layout.samples("ssv2", "fca", kind, number), kind="samples") as shard:
            found |= dict(zip(shard.ids, shard.frames[:], strict=True))
    return found


def results(config: Config) -> list[dict[str, Any]]:
    """Scores of the variant, of `repeat` and of the VAE, without what names shards and settings."""
    layout = Layout(config)
    paths = (layout.scores("ssv2", "fca"), layout.scores("ssv2", "repeat"), layout.vae_roundtrip("ssv2"))
    return [json.loads(path.read_text()) | {"parents": {}, "made_by": {}} for path in paths]


@pytest.mark.slow
def test_scores_without_a_shard_are_those_of_the_remaining_clips(tmp_path: Path, random_base: Path) -> None:
    first = configured(tmp_path / "shards", random_base, SHARD)
    layout = Layout(first)
    run(first, "fetch", "ssv2")
    run(first, "index", "ssv2")
    shutil.copytree(layout.root, tmp_path / "whole/data/pocket")
    names = {split: [row.id for row in read_records(layout.index("ssv2"), split)] for split in EMPTY}
    gone = {split: names[split][SHARD * shard : SHARD * (shard + 1)] for split, shard in EMPTY.items()}
    listed = tmp_path / "exclude.tsv"
    listed.write_text("".join(f"{split}\t{name}\tgone\n" for split in gone for name in gone[split]))
    edits = {name: ["Moving blue cup up"] for name in (names["validation"][0], gone["validation"][0])}
    more = {"exclude": str(listed), "edited_captions": edits}
    shards = configured(tmp_path / "shards", random_base, SHARD, **more)
    whole = configured(tmp_path / "whole", random_base, CLIPS, **more)
    chain(shards)
    chain(whole)

    # A shard of nothing is there, with the reasons.
    for path in (
        layout.latents("ssv2", "train", EMPTY["train"]),
        layout.clips("ssv2", "validation", EMPTY["validation"]),
        layout.latents("ssv2", "validation", EMPTY["validation"]),
        layout.samples("ssv2", "fca", "validation", EMPTY["validation"]),
        layout.samples("ssv2", "fca", "opposite", EMPTY["validation"]),
    ):
        with Shard(path) as shard:
            shard.verify()
            split = "train" if "train" in path.name else "validation"
            assert (len(shard), [row.id for row in shard.manifest.quarantine]) == (0, gone[split])
    assert check(shards, ["ssv2"], workers=1)[1] == []
    assert list(IndexedClips(shards, "ssv2", "train", EMPTY["train"])) == []

    # Nothing else has changed: model, predictions and scores are those of the other clips.
    model, other = (Manifest.read(Layout(config).model_manifest("ssv2", "fca")) for config in (shards, whole))
    assert model.sha256 == other.sha256
    for kind in ("validation", "opposite", "edited"):
        found, expected = videos(shards, kind), videos(whole, kind)
        assert list(found) == list(expected)
        assert all(np.array_equal(found[name], expected[name]) for name in found)
    assert list(videos(shards, "validation")) == [
        name for name in names["validation"] if name not in gone["validation"]
    ]
    for scores, expected in zip(results(shards), results(whole), strict=True):
        assert scores == expected
        assert scores["count"] == CLIPS - SHARD
        assert {row["id"] for row in scores["quarantine"]} == set(gone["validation"])

    # The report names them once, and a study draws from the others.
    page = report(shards).read_text(encoding="utf-8")
    assert all(name in page for split in gone for name in gone[split])
    keys = [Key.read(build(config, ["ssv2"], ["fca", "repeat"], CLIPS - SHARD, 1, tmp_path / str(n))[1])
            for n, config in enumerate((shards, whole))]  # fmt: skip
    assert {item.media for item in keys[0].items.values()} == {item.media for item in keys[1].items.values()}
    assert {clip.clip for clip in keys[0].clips.values()} == set(names["validation"]) - set(gone["validation"])
