"""`fca card`: write a model's card again, with the scores that were measured of it."""

from collections.abc import Iterator
from pathlib import Path

from fca.artifacts.check import changed_parents
from fca.artifacts.fingerprint import made_by
from fca.artifacts.manifest import Manifest
from fca.config import Config, Layout
from fca.pretrained.hub.card import Row, Scores, Training, write_card
from fca.report.metrics import METRICS, cell, find
from fca.report.score_file import ScoreFile, read_scores


def refresh(config: Config, folder: Path) -> tuple[Path, str]:
    """Write the card of the model in `folder`; return its path, and why it has no scores (empty if it has some).

    Raises:
        FcaError: the folder is no model's, or a score file or manifest is damaged.
    """
    place = _place(config, folder)
    recorded = Training.recorded(folder)
    if place is None:
        return write_card(folder, recorded), "the folder is no model of this configuration (-c)"
    layout = Layout(config)
    measured = read_scores(layout.scores(*place))
    if measured is None:
        why = f"there is no {layout.scores(*place)}"
    elif changed := next(_changed(layout, measured), ""):
        why, measured = f"{measured.path} was measured on files that have changed since ({changed})", None
    else:
        why = ""
    training = recorded or _training(config, *place)
    return write_card(folder, training, _rows(measured) if measured else None), why


def _place(config: Config, folder: Path) -> tuple[str, str] | None:
    """The dataset and variant of the configuration whose model is in `folder`."""
    layout = Layout(config)
    trained = [name for name, variant in config.every_variant.items() if variant.trained]
    places = ((dataset, variant) for dataset in config.datasets for variant in trained)
    return next((place for place in places if layout.model(*place).resolve() == folder.resolve()), None)


def _training(config: Config, dataset: str, variant: str) -> Training | None:
    """What the configuration says, if the model was trained with these settings."""
    path = Layout(config).model_manifest(dataset, variant)
    if path.exists():
        settings = made_by(config, "train", dataset, variant)["config"]
        if Manifest.read(path).made_by.get("config") == settings:
            return Training.of(config, dataset, variant)
    return None


def _changed(layout: Layout, measured: ScoreFile) -> Iterator[str]:
    """Files that changed since the scores were measured, and the model if it changed since it was sampled."""
    made_from = [Layout.manifest(layout.root / name) for name in measured.parents]
    for parents in (measured.parents, *(Manifest.read(path).parents for path in made_from if path.exists())):
        if why := changed_parents(layout, parents):
            yield why


def _rows(measured: ScoreFile) -> Scores:
    """The scores as the report prints them."""
    rows = []
    for metric in METRICS:
        if score := find(measured, metric):
            shown = cell(score, metric)
            text = f"{shown.text} {metric.unit}".strip()
            rows.append(Row(metric.stem, metric.title, score.name, score.value, text, shown.interval))
    confidence = measured.protocol.get("interval", {}).get("confidence")
    return Scores(rows, measured.count, measured.network, confidence)
