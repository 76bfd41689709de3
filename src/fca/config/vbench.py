"""Settings of VBench."""

from typing import Literal

from pydantic import Field

from fca.config.settings import FileName, Name, Settings, Sha256


class VBench(Settings):
    """The six VBench dimensions of Table 6, by the official package."""

    environment: str = ".venv-vbench"
    """Folder of the environment with the official package: `make vbench-env`"""
    weights: str | None = None
    """Folder of its networks' weights, listed in docs/scores.md; null: only temporal flickering, which needs none"""
    sha256: dict[FileName, Sha256] = Field(default={})
    """Expected sha256 of files in `weights`, by name; amt-s.pth must be here, since it is unpickled"""
    datasets: list[Name] | None = None
    """Datasets that it is measured on; null: all"""
    device: Literal["cpu", "cuda"] = "cpu"
    """Where its networks run; CLIP runs in half precision on a GPU"""
    given_frames: Literal["truth", "model"] = "truth"
    """truth: a prediction's given frames are replaced by the true ones, as for FVD; model: as the model made them"""
    crf: int | None = Field(default=None, ge=1, le=51)
    """null: videos without loss; a number: H.264 in 4:2:0 of this constant rate factor, of the truth as well"""

    def measures(self, dataset: str) -> bool:
        """Whether it is measured on a dataset."""
        return self.datasets is None or dataset in self.datasets
