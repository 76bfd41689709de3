"""Start the scripts of the real lerobot package from tests. They take seconds each, most of them for imports."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = Path(os.environ.get("FCA_LEROBOT", ROOT / ".venv-lerobot"))

needs_lerobot = [
    pytest.mark.lerobot,
    pytest.mark.skipif(not (ENVIRONMENT / "bin/python").exists(), reason="no lerobot environment: make lerobot-env"),
]


def write_real(spec: dict[str, Any]) -> Path:
    """Write the dataset that write_real.py's specification describes; its folder."""
    folder = Path(spec["root"])
    path = folder.with_name(f"{folder.name}-spec.json")
    path.write_text(json.dumps(spec | {"root": str(folder)}), encoding="utf-8")
    run("write_real.py", path)
    return folder


def read_real(folder: Path) -> dict[str, np.ndarray]:
    """What read_real.py says of a dataset: the columns of its file."""
    out = folder.with_name(f"{folder.name}-read.npz")
    run("read_real.py", folder, out)
    with np.load(out) as file:
        return dict(file)


def run(script: str, *arguments: Path) -> None:
    """Run a script in the environment, which knows nothing of this one's; an error has the end of what it printed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    command = [ENVIRONMENT / "bin/python", Path(__file__).with_name(script), *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, errors="replace", timeout=300)
    if done.returncode:
        raise RuntimeError(f"{script}: exit status {done.returncode}\n{done.stderr[-3000:]}")
