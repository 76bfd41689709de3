"""The worked example of docs/data/lerobot.md, up to the page to look at before training."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fca.config import Layout, load
from fca.data.fetch import fetch
from fca.data.index import build_index, read_index
from fca.data.verify import verify
from fca.report.preview import preview
from tests.data.corpora import ROOT
from tests.data.datasets.test_lerobot import listing

pytest.importorskip("pyarrow")

GUIDE = (ROOT / "docs" / "data" / "lerobot.md").read_text()


def test_the_guides_episodes_fit_its_configuration(tmp_path: Path) -> None:
    snippet = re.search(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    assert snippet
    (tmp_path / "config").symlink_to(ROOT / "config")
    subprocess.run([sys.executable, "-c", snippet[1]], cwd=tmp_path, check=True, capture_output=True, timeout=300)
    config = load(ROOT / "config" / "pocket-lerobot.yaml")
    assert config.datasets["arm"].root == "datasets/arm"
    arm = config.datasets["arm"].model_copy(update={"root": str(tmp_path / "datasets/arm")})
    folders = {"data_dir": str(tmp_path / "data"), "report_dir": str(tmp_path / "reports")}
    config = config.model_copy(update={"datasets": {"arm": arm}} | folders)

    fetch(config, "arm")
    assert build_index(config, "arm").quarantine == []
    sound = verify(config, "arm")
    assert sound.extra["sound"] == {"train": 9, "validation": 3}
    assert sound.extra["sizes"] == {"192x128": 12}
    assert sound.extra["padded"] == 0
    page = preview(config, "arm", ["train", "validation"], 12).read_text()
    _, records = read_index(Layout(config), "arm")
    assert len({record.caption for record in records}) > 6
    assert all(record.caption in page for record in records)


def test_the_configuration_differs_from_the_pocket_scale_in_its_dataset_alone() -> None:
    pocket, own = load(ROOT / "config" / "pocket.yaml"), load(ROOT / "config" / "pocket-lerobot.yaml")
    for name in ("clip", "base", "adapter", "features", "variants", "encode", "train", "sample", "report", "seed"):
        assert getattr(own, name) == getattr(pocket, name), name
    assert own.score == pocket.score.model_copy(update={"vbench": None})
    assert list(own.datasets) == ["arm"]


@pytest.mark.slow
def test_the_guides_commands_run_as_written(tmp_path: Path) -> None:
    """From the library's episodes to a prediction and a LeRobot dataset of predictions, in minutes."""
    for name in ("Snakefile", "workflow", "config", "profiles"):
        (tmp_path / name).symlink_to(ROOT / name)
    snippet = re.search(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    assert snippet
    subprocess.run([sys.executable, "-c", snippet[1]], cwd=tmp_path, check=True, timeout=300)
    example = GUIDE[GUIDE.index("## A worked example") :].replace("\\\n", " ")
    commands = [line for line in example.splitlines() if line.startswith(("snakemake ", "fca "))]
    assert [command.split()[0:2] for command in commands] == [
        ["snakemake", "preview_arm"], ["snakemake", "all"], ["fca", "predict"], ["fca", "export-lerobot"],
    ]  # fmt: skip
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    for command in commands:
        subprocess.run(command, shell=True, cwd=tmp_path, check=True, timeout=800, env=os.environ | {"PATH": path})
    assert (tmp_path / "next.webm").stat().st_size > 1000
    predicted = listing(tmp_path / "datasets/arm-predicted", camera="observation.images.predicted")
    assert (len(predicted.records), predicted.quarantine) == (3, [])
    assert "FCA" in (tmp_path / "reports/index.html").read_text()
