"""Settings of VBench, its dimensions, and the weights of its networks."""

from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from fca.config.settings import FileName, Name, Settings, Sha256

DIMENSIONS = {
    "background_consistency": "Background consistency",
    "imaging_quality": "Imaging quality",
    "motion_smoothness": "Motion smoothness",
    "overall_consistency": "Overall consistency",
    "subject_consistency": "Subject consistency",
    "temporal_flickering": "Temporal flickering",
}
"""The six dimensions of the paper's section C.1, in the order of its Table 6."""
WITHOUT_WEIGHTS = ("temporal_flickering",)
GROUND_TRUTH = "truth"
"""Name of the ground truth's results, next to those of the variants."""


@dataclass(frozen=True)
class WeightFile:
    """A file of weights that one dimension needs."""

    dimension: str
    network: str
    megabytes: int
    url: str
    """Where vbench 0.1.5 fetches it from."""
    sha256: str | None = None
    """The sha256, or its first digits, from the address or name of the file; None: not published."""

    @property
    def name(self) -> str:
        return self.url.rpartition("/")[2]


WEIGHTS = (
    WeightFile(
        "background_consistency",
        "CLIP ViT-B/32",
        354,
        "https://openaipublic.azureedge.net/clip/models/40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af/ViT-B-32.pt",
        "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af",
    ),
    WeightFile(
        "imaging_quality",
        "MUSIQ (SPAQ)",
        109,
        "https://github.com/chaofengc/IQA-PyTorch/releases/download/v0.1-weights/musiq_spaq_ckpt-358bb6af.pth",
        "358bb6af",
    ),
    WeightFile("motion_smoothness", "AMT-S", 12, "https://huggingface.co/lalala125/AMT/resolve/main/amt-s.pth"),
    WeightFile(
        "overall_consistency",
        "ViCLIP",
        1700,
        "https://huggingface.co/OpenGVLab/VBench_Used_Models/resolve/main/ViClip-InternVid-10M-FLT.pth",
    ),
    WeightFile(
        "subject_consistency",
        "DINO ViT-B/16",
        343,
        "https://dl.fbaipublicfiles.com/dino/dino_vitbase16_pretrain/dino_vitbase16_pretrain.pth",
    ),
)


class VBench(Settings):
    """The six VBench dimensions of Table 6, computed by the official package."""

    environment: str = ".venv-vbench"
    """Folder of the environment with the official package: `make vbench-env`"""
    weights: str | None = None
    """Folder of its networks' weights (listed in docs/scores.md); null: only temporal flickering, which needs none"""
    sha256: dict[FileName, Sha256] = Field(default={})
    """Expected sha256 of files in `weights`, by name; required for amt-s.pth, which is a pickle"""
    datasets: list[Name] | None = None
    """Datasets to measure it on; null: all"""
    device: Literal["cpu", "cuda"] = "cpu"
    """Device of its networks; CLIP runs in half precision on a GPU"""
    given_frames: Literal["truth", "model"] = "truth"
    """Initial frames of predictions. truth: replaced by the ground truth, as for FVD; model: as predicted"""
    crf: int | None = Field(default=None, ge=1, le=51)
    """null: lossless videos; a number: H.264 in 4:2:0 with this constant rate factor, for the ground truth too"""

    def measures(self, dataset: str) -> bool:
        """Whether it is measured on a dataset."""
        return self.datasets is None or dataset in self.datasets
