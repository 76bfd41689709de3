"""Record what a training is worth, for the repository: `fca record`."""

from pathlib import Path
from typing import Any

from fca.artifacts.evidence import Evidence, made_of
from fca.artifacts.manifest import Manifest
from fca.artifacts.measured import Job, measured_path
from fca.config import Config, Layout
from fca.config.names import RunName
from fca.score.draws import Draws
from fca.score.features import load_network
from fca.score.replicates import draws_of_training, read_scores

LEFT_OUT = ("_seer", "_path_error", "opposite_task", "kvd")
"""Parts of the names of scores whose draws aren't recorded: the page doesn't compare them."""


def record_evidence(config: Config, dataset: str, name: str) -> Path:
    """Write the record of a training, once to the workflow's results and once to the repository; return the latter.

    Raises:
        FcaError: the training, or one of its lengths, isn't scored; or features that its scores are made of are gone.
    """
    layout = Layout(config)
    files = {length: read_scores(layout.scores(dataset, length)) for length in (*config.lengths(name), name)}
    network = load_network(config.features.network, config.features.sha256)
    drawn = draws_of_training(config, dataset, name, files[name], network)
    settings, weights, code = made_of(config, dataset, name)
    model = Manifest.read(layout.model_manifest(dataset, name)).extra if config.variant(name).trained else {}
    trains = config.variant(name).trains
    job = Job.read(measured_path(config, "train", dataset, name)) if trains else None

    found = Evidence(
        scale=config.scale,
        dataset=dataset,
        name=name,
        title=config.variant(name).title,
        protocol_sha256=files[name]["protocol_sha256"],
        clips=files[name]["count"],
        trained=model.get("trainable_parameters"),
        steps=int(model.get("steps", 0)),
        seconds=model["seconds"] if trains else None,
        device=job.device if job else "",
        git_commit=model.get("git_commit"),
        settings=settings,
        weights=weights,
        code=code,
        lengths={str(_steps(config, dataset, length)): _values(own) for length, own in files.items()},
        draws={score: _written(one) for score, one in drawn.items() if one and not any(p in score for p in LEFT_OUT)},
    )
    for path in (layout.recorded(dataset, name), layout.evidence(dataset, name)):
        found.write(path)
    return layout.evidence(dataset, name)


def _steps(config: Config, dataset: str, length: str) -> int:
    """Optimizer steps of a model; 0 if nothing is trained."""
    if not config.variant(length).trained:
        return 0
    return RunName.of(length).steps or config.train_steps(dataset, config.weights_name(length))


def _values(file: dict[str, Any]) -> dict[str, float]:
    return {score: found["value"] for score, found in file["scores"].items() if found is not None}


def _written(drawn: Draws) -> dict[str, Any]:
    """Draws with five significant digits, more than any comparison needs."""
    return {
        "value": float(f"{drawn.value:.6g}"),
        "clips": drawn.clips,
        "resampled": [float(f"{value:.5g}") for value in drawn.resampled],
    }
