"""What the repository ships, and where relative paths of shipped files and of networks lead."""

import re
from pathlib import Path

from fca.errors import FcaError

CLONE = Path(__file__).parents[3]
REPOSITORY = CLONE if (CLONE / "Snakefile").is_file() else Path(__file__).parents[1] / "shipped"
"""A clone, or what a wheel holds of one: configurations, variants and the pocket model (pyproject.toml)."""
CONFIGURATIONS = REPOSITORY / "config"
HUB = "hub:"
"""Before a name on the Hugging Face hub that could be a folder."""
FOLDERS = ("config", "data", "datasets", "downloads", "reports", "runs", "weights")
"""First folders of paths in this project: never an organisation on the hub."""


def located(path: str | Path) -> Path:
    """A relative path as it is, or in the repository if it exists there and not in the working directory."""
    path = Path(path).expanduser()
    shipped = REPOSITORY / path
    return shipped if shipped.exists() and not path.exists() else path


def network_folder(name: str) -> Path | None:
    """The folder of a network, or None for a name on the hub: `hub:org/name`, or `org/name` that can't be a folder.

    `org/name` can be a folder if `org` is one, in the working directory or the repository, or one of `FOLDERS`.

    Raises:
        FcaError: it can only be a folder, and there is none.
    """
    folder = located(name)
    if name and folder.is_dir():
        return folder
    organisation = name.removeprefix(HUB).partition("/")[0]
    if re.fullmatch(r"[A-Za-z0-9][\w.-]*/[\w.-]+", name.removeprefix(HUB), re.ASCII) and (
        name.startswith(HUB) or not (organisation in FOLDERS or located(organisation).is_dir())
    ):
        return None
    raise FcaError(
        f"there is no folder {name}",
        f"a folder in diffusers' layout (a relative one: in the working directory or in {REPOSITORY}), or a name on the"
        f" Hugging Face hub such as THUDM/CogVideoX-2b, after `{HUB}` if it could be a folder",
        "correct the path, or fetch the network: docs/checkpoints.md",
    )
