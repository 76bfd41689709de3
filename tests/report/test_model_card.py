"""`fca card` writes a card again, with the scores of this very model."""

import json
import shutil
from pathlib import Path

import pytest
from huggingface_hub import ModelCard

from fca.artifacts.fingerprint import made_by
from fca.artifacts.manifest import Manifest
from fca.cli.main import main
from fca.config import Config, Layout
from fca.errors import FcaError
from fca.pretrained.hub.card import Training
from fca.report.metrics import METRICS
from fca.report.model_card import refresh
from tests.pretrained.hub.models import write_model
from tests.report.project import MADE_BY, NETWORK, make_config, make_project

PLACE = ("ssv2", "fca")


@pytest.fixture
def project(tmp_path) -> Config:
    """A finished project, whose scores, samples and model name each other as parents; and the model's folder."""
    config = make_config(tmp_path)
    make_project(config)
    layout = Layout(config)
    write_model(layout.model(*PLACE), config)
    model = layout.model_manifest(*PLACE)
    parents = {}
    for shard in layout.shards("ssv2", "validation"):
        path = layout.samples(*PLACE, "validation", shard)
        change(Layout.manifest(path), parents={below(layout, model): Manifest.read(model).sha256})
        parents[below(layout, path)] = Manifest.read(Layout.manifest(path)).sha256
    change(layout.scores(*PLACE), parents=parents)
    return config


def below(layout: Layout, path: Path) -> str:
    return path.relative_to(layout.root).as_posix()


def change(path: Path, **values: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_scores_are_those_of_the_score_file(project) -> None:
    layout = Layout(project)
    folder = layout.model(*PLACE)
    manifest = layout.model_manifest(*PLACE).read_bytes()
    path, why = refresh(project, folder)
    assert (path, why) == (folder / "README.md", "")
    found = ModelCard.load(path)
    stored = json.loads(layout.scores(*PLACE).read_text())["scores"]
    results = {one.metric_name: one.metric_value for one in found.data.eval_results}
    assert results == {name: stored[name]["value"] for name in results}
    assert len(results) == len(METRICS) - 3  # positions and objects, which these scores lack
    assert f"| `fvd_{NETWORK['name']}_6x16f` | FVD | 12.3 | 9.84 to 14.8 |" in found.text
    assert "| `psnr` | PSNR | 21.50 dB | 20.70 to 22.30 |" in found.text
    assert "6 validation clips, feature network `pocket_i3d`, 95% intervals" in found.text
    assert Training.recorded(folder) == Training.of(project, *PLACE)
    again = path.read_bytes()
    refresh(project, folder)
    assert path.read_bytes() == again
    assert layout.model_manifest(*PLACE).read_bytes() == manifest


@pytest.mark.parametrize("changed", ["model", "samples"])
def test_scores_of_another_model_are_left_out(project, changed) -> None:
    layout = Layout(project)
    sample = Layout.manifest(layout.samples(*PLACE, "validation", 1))
    change(layout.model_manifest(*PLACE) if changed == "model" else sample, sha256="9" * 64)
    path, why = refresh(project, layout.model(*PLACE))
    assert "was measured on files that have changed since" in why
    assert ModelCard.load(path).data.eval_results is None
    assert "None are recorded" in path.read_text()


def test_a_folder_elsewhere_has_no_scores_and_keeps_its_record(project, tmp_path, capsys, monkeypatch) -> None:
    layout = Layout(project)
    folder = tmp_path / "elsewhere" / "fca"
    shutil.copytree(layout.model(*PLACE), folder)
    before = (folder / "README.md").read_bytes()
    refresh(project, layout.model(*PLACE))
    monkeypatch.chdir(tmp_path)
    assert main(["card", "elsewhere/fca"]) == 0
    shown = capsys.readouterr()
    assert shown.out == "elsewhere/fca/README.md\n"
    assert shown.err == "fca card: without scores: the folder is no model of this configuration (-c)\n"
    assert (folder / "README.md").read_bytes() == before
    assert (layout.model(*PLACE) / "README.md").read_bytes() != before


def test_a_model_without_scores_says_which_file_is_missing(project) -> None:
    layout = Layout(project)
    layout.scores(*PLACE).unlink()
    path, why = refresh(project, layout.model(*PLACE))
    assert why == f"there is no {layout.scores(*PLACE)}"
    assert "None are recorded" in path.read_text()


@pytest.mark.parametrize("same", [True, False])
def test_without_a_card_the_configuration_tells_what_it_trained(project, same) -> None:
    layout = Layout(project)
    settings = made_by(project, "train", *PLACE)["config"] if same else MADE_BY["config"]
    change(layout.model_manifest(*PLACE), made_by=MADE_BY | {"config": settings})
    (layout.model(*PLACE) / "README.md").unlink()
    refresh(project, layout.model(*PLACE))
    expected = Training.of(project, *PLACE) if same else None
    assert Training.recorded(layout.model(*PLACE)) == expected


def test_a_damaged_score_file_is_an_error_and_the_card_stays(project) -> None:
    layout = Layout(project)
    card = layout.model(*PLACE) / "README.md"
    before = card.read_bytes()
    layout.scores(*PLACE).write_text("{")
    with pytest.raises(FcaError, match="is not a score file"):
        refresh(project, layout.model(*PLACE))
    assert card.read_bytes() == before
