"""Settings of a clip's shape and of the steps: decoding, encoding, sampling, scores, report."""

from typing import Literal

from pydantic import Field

from fca.config.settings import Frames, Positive, SchedulerName, Settings, latent_frames
from fca.config.vbench import VBench


class Clip(Settings):
    """The shape of every clip, for all datasets."""

    frames: Frames
    """Frames of a clip, initial frames included: a multiple of 8, or one more, for which CogVideoX's VAE is made"""
    width: Positive = Field(multiple_of=16)
    """Width in pixels"""
    height: Positive = Field(multiple_of=16)
    """Height in pixels"""
    resize: Literal["stretch", "crop"] = "stretch"
    """stretch: resize to the clip's size, changing proportions; crop: cover that size, then crop the centre"""
    sampling: Literal["time", "index"] | None = None
    """Sample a video's frames evenly in time, or by index as Seer; null: time for format: folder, else index"""

    @property
    def latent_frames(self) -> int:
        """f, the frames of the video latent: 4 for 16 frames, 5 for 17."""
        return latent_frames(self.frames)


class Decode(Settings):
    """Decoding of videos and pictures in separate processes: one that hangs or crashes costs one clip."""

    seconds: float = Field(default=60.0, gt=0)
    """Time limit for one clip; a clip that takes longer is quarantined"""
    processes: Positive | None = None
    """Processes that decode; null: the job's cores (OMP_NUM_THREADS, which Snakemake sets to a rule's threads)"""
    decoder: Literal["pyav", "decord"] = "pyav"
    """Decoder of videos; decord reads those whose packets prove that it gives PyAV's pixels, PyAV the others"""


class Encode(Settings):
    """Encoding of the data with the frozen networks, once before training."""

    batch_size: Positive
    """Clips in one pass of the ViT; the VAE encodes one at a time"""
    precision: Literal["fp32", "bf16", "fp16"]
    """Arithmetic of the frozen networks"""


class Sample(Settings):
    """Prediction with classifier-free guidance; the checkpoint has the noise schedule."""

    scheduler: SchedulerName = "ddim"
    """ddim: DDIM, as the paper; dpm: SDE-DPM-Solver++(2M), which CogVideoX's demo recommends for its larger models"""
    steps: int = Field(default=50, gt=0, le=1000)
    """Sampling steps"""
    guidance_scale: float = Field(default=6.0, ge=1)
    """Weight of classifier-free guidance; 1 turns it off"""
    batch_size: Positive
    """Clips denoised at once, decoded one at a time; a clip's noise doesn't depend on it"""
    precision: Literal["fp32", "bf16", "fp16"]
    """Arithmetic of the networks (CogVideoX-2B was trained in fp16, the 5B in bf16)"""


class Score(Settings):
    """Scores of predicted clips; the code and a score's name fix how it is computed."""

    batch_size: Positive
    """Clips in one pass of the feature network"""
    bootstrap: Positive = 200
    """Bootstrap samples of the clips for each interval"""
    confidence: float = Field(default=0.95, gt=0, lt=1)
    """Coverage of the intervals"""
    vbench: VBench | None = None
    """VBench; null: not measured"""


class Report(Settings):
    """The HTML report."""

    clips: Positive
    """Clips of each dataset shown next to the ground truth"""
