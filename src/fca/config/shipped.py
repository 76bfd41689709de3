"""What the repository ships: configurations, variants and the pocket scale's networks."""

from pathlib import Path

REPOSITORY = Path(__file__).parents[3]
CONFIGURATIONS = REPOSITORY / "config"


def located(path: str | Path) -> Path:
    """A relative path as it is, or in the repository if it exists there and not in the working directory."""
    path, shipped = Path(path), REPOSITORY / path
    return shipped if shipped.exists() and not path.exists() else path
