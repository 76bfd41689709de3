"""The weight files of VBench's networks: which of them exist, and what is measured with them.

Quick to import, since the workflow uses it. docs/scores.md shows the table of files; a test compares the two.
"""

from pathlib import Path

from fca.config.shipped import located
from fca.config.vbench import DIMENSIONS, WEIGHTS, WITHOUT_WEIGHTS, VBench, WeightFile
from fca.errors import FcaError

UNFINISHED = "unfinished"
"""File in an environment whose making has begun and not ended"""


def dimensions(settings: VBench) -> list[str]:
    """The dimensions that are measured with these settings."""
    return [name for name in DIMENSIONS if settings.weights is not None or name in WITHOUT_WEIGHTS]


def python_of(settings: VBench) -> Path:
    """The interpreter of VBench's own environment."""
    return located(settings.environment) / "bin" / "python"


def is_finished(settings: VBench) -> bool:
    """Whether the environment exists and `make vbench-env`, if that made it, got to its end."""
    return python_of(settings).exists() and not (located(settings.environment) / UNFINISHED).exists()


def missing(settings: VBench) -> list[WeightFile]:
    """Required files that don't exist."""
    folder = settings.weights
    return [] if folder is None else [file for file in WEIGHTS if not located(Path(folder) / file.name).is_file()]


def is_ready(settings: VBench | None) -> bool:
    """Whether everything that a run needs exists; if so, the workflow measures VBench."""
    return settings is not None and is_finished(settings) and not missing(settings)


def require(settings: VBench) -> None:
    """`FcaError` that lists everything that is missing with its size and origin."""
    if not is_finished(settings):
        python = python_of(settings)
        raise FcaError(
            f"{settings.environment} is unfinished" if python.exists() else f"there is no {python}",
            "the official VBench package in an environment of its own",
            "run `make vbench-env`, or set another in score.vbench.environment",
        )
    if lacking := missing(settings):
        named = [f"{file.name} ({file.megabytes} MB, {file.network}) from {file.url}" for file in lacking]
        raise FcaError(
            f"{settings.weights} lacks {len(lacking)} of {len(WEIGHTS)} files of VBench's networks:\n"
            + "\n".join(named),
            "all of them, under these names",
            "fetch them; or set score.vbench.weights: null to measure temporal flickering alone",
        )


def request(settings: VBench) -> dict[str, dict[str, str | None]]:
    """For `official.py`: dimension -> file and its expected sha256 (the configured or the published one)."""
    if settings.weights is None:
        return {}
    if strange := sorted(set(settings.sha256) - {file.name for file in WEIGHTS}):
        raise FcaError(
            f"score.vbench.sha256 names {', '.join(strange)}",
            f"names among {', '.join(file.name for file in WEIGHTS)}",
            "correct them",
        )
    paths = {file.name: located(Path(settings.weights) / file.name).absolute() for file in WEIGHTS}
    return {
        file.dimension: {"path": str(paths[file.name]), "sha256": settings.sha256.get(file.name, file.sha256)}
        for file in WEIGHTS
    }
