"""How long a clip takes: from the command line, from what was measured, from the paper, or from counted operations."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from fca.artifacts.manifest import Manifest
from fca.artifacts.measured import Job, read_measured
from fca.config import Config, Layout
from fca.config.rehearsal import rehearsal_of
from fca.plan.work import Work

TRAINING_CLIP = 8.64 * 4 / 8
"""A100 seconds of a clip in training. The paper: 8.64 s an optimizer step of eight clips on four A100s."""
SAMPLED_CLIP = 42.0
"""A100 seconds of a clip of 16 frames, 720x480, 50 steps with guidance. The paper: 2,048 in 6 h on four."""
TRAINING_SPEED = 102.6e12 / TRAINING_CLIP
"""Operations per second of an A100 in the paper's training, if it recomputed every layer: 8 % of its 312e12 in bf16."""
SAMPLING_SPEED = 2874e12 / SAMPLED_CLIP
"""The same in the paper's sampling: 22 %."""
ENCODING_SPEED = 502e12 / 12.5
"""The same in the VAE, 13 %: 8 clips of 49 frames, 512x288, in 12.5 s on an A800 (zai-org/CogVideo, issue 579)."""
FLOAT32_SPEED = ENCODING_SPEED / 16
"""The feature network's, without TF32: the same share of 19.5e12."""
COMPARED_FRAME = 0.17 / 1.9
"""Core seconds of SSIM and PSNR of a frame of 720x480: what shifted planes took, over the least gain a core that was
measured (docs/performance.md). Less on a GPU, which computes it if there is one; how much less wasn't measured."""
DISTANCE_CLIP = 1.2e-4
"""Core seconds of a clip in a Fréchet distance of 400 features: 1.04 s for 9,668 measured, and a share of KVD's."""
CHECKED_CLIP = 1 / 60
"""Core seconds to decode a clip of SSv2's size in `fca data verify` (docs/data/verify.md); others only list files."""
RESAMPLED_CLIP = 0.65
"""Core seconds to resample 300 frames of 640x480 (docs/performance.md)."""
REPORTED_CLIP = 10.0
"""Core seconds to show a clip in the report, assumed."""
VBENCH_CLIP = 158 / 40
"""GPU seconds of a clip: 158 s on a core (docs/scores.md), 40 of which an A100 is assumed to be worth."""
START = 60.0
"""Seconds that a job takes to start and to read its networks, at about a second per gigabyte (docs/checkpoints.md)."""


class Rate(NamedTuple):
    """The time of one clip."""

    seconds: float | None
    """On one GPU or one core; None: unknown"""
    source: str

    def hours(self, clips: float) -> float | None:
        return None if self.seconds is None else clips * self.seconds / 3600


class Rates:
    """Times of a clip in the steps of a configuration; `throughput`: clips per second of one GPU, by step."""

    def __init__(self, config: Config, throughput: dict[str, float], measured: bool = True) -> None:
        """`measured`: whether rates measured here take the place of published ones."""
        self.config, self.layout, self.throughput = config, Layout(config), throughput
        self._scales = [config, rehearsal_of(config)] if measured else []

    def encoding(self, kind: str, work: Work) -> Rate:
        return self._measured("encode", kind) or self._counted("encode", work.operations, ENCODING_SPEED)

    def training(self, dataset: str, variant: str, work: Work) -> Rate:
        settings = self.config.train
        if "train" not in self.throughput:
            if self._scales and (found := self._logged(dataset, variant)) is not None:
                seconds, where = found
                seconds_a_clip = seconds * settings.processes / settings.clips_per_step
                return Rate(seconds_a_clip, f"{seconds:.3g} s a step, measured: {where}")
            if (rate := self._measured("train", variant)) is not None:
                return rate
            if self._paper() and self.config.variant(variant).adapter == "fca":
                return Rate(
                    TRAINING_CLIP, f"{TRAINING_CLIP:.2f} A100 seconds a clip (the paper: 8.64 a step of 8 on 4)"
                )
        return self._counted("train", work.operations, TRAINING_SPEED)

    def sampling(self, variant: str, work: Work) -> Rate:
        own, steps = self.config.variant(variant), self.config.sample.steps
        if (rate := self._measured("sample", variant, steps)) is not None:
            return rate
        if "sample" not in self.throughput and self._paper() and own.base == "text" and own.adapter in ("fca", "none"):
            seconds = SAMPLED_CLIP * steps / 50
            return Rate(seconds, f"{seconds:.3g} A100 seconds a clip (the paper: 42 with 50 steps)")
        return self._counted("sample", work.operations, SAMPLING_SPEED)

    def bootstrap(self) -> float:
        """Core seconds of a clip in the bootstrap of FVD, with the truth's initial frames and with the model's."""
        return 2 * self.config.score.bootstrap * DISTANCE_CLIP

    def scoring(self, features: Work, frames: int) -> Rate:
        """Truth and both kinds of predictions through the feature network; PSNR and SSIM of `frames`; bootstrap."""
        more = frames * COMPARED_FRAME + self.bootstrap()
        if (rate := self._measured("score")) is not None and rate.seconds is not None:
            return rate._replace(seconds=rate.seconds + self.bootstrap())
        return self._counted("score", 3 * features.operations, FLOAT32_SPEED, more)

    def round_trip(self, vae: Work, features: Work) -> Rate:
        """A clip measured: the VAE's part; truth and two kinds of two round trips; PSNR and SSIM of both."""
        more = 5 * features.operations / FLOAT32_SPEED + 2 * self.config.clip.frames * COMPARED_FRAME
        return self._measured("vae-roundtrip") or self._counted("vae-roundtrip", vae.operations, ENCODING_SPEED, more)

    def vbench(self) -> Rate:
        if not self._paper():
            return Rate(None, "the rate is unknown")
        return Rate(VBENCH_CLIP, f"{VBENCH_CLIP:.1f} A100 seconds a clip, assumed: a fortieth of a core's")

    def _measured(self, step: str, of: str | None = None, steps: int | None = None) -> Rate | None:
        """The mean rate of this scale's finished jobs, else of its rehearsal's; `steps` of denoising."""
        if step in self.throughput:
            return None
        for scale in self._scales:
            if found := read_measured(scale, step, of):
                seconds = seconds_a_clip(found, steps)
                where = Layout(scale).measured("*")
                return Rate(seconds, f"{seconds:.3g} s a clip, measured on {found[0].device}: {where}")
        return None

    def _counted(self, step: str, operations: float, speed: float, more: float = 0.0) -> Rate:
        """A rate that was asked for, else that of so many operations at `speed`, and `more` seconds."""
        if step in self.throughput:
            rate = self.throughput[step]
            return Rate(1 / rate, f"{rate:g} clips per second, as requested")
        if not self._paper():
            return Rate(None, f"the rate is unknown: add --clips-per-second {step}=RATE")
        seconds = operations / speed + more
        said = (
            f"{seconds:.2g} A100 seconds a clip: {operations / 1e12:.3g}e12 operations, {speed / 1e12:.2g}e12 a second"
        )
        return Rate(seconds, f"{said}, and {more:.2g} s" if more else said)

    def _paper(self) -> bool:
        """Whether clips and base are those of the paper's times."""
        clip = self.config.clip
        size = (clip.frames, clip.height, clip.width) == (16, 480, 720)
        return size and Path(self.config.base.model).name.lower() == "cogvideox-2b"

    def _logged(self, dataset: str, variant: str) -> tuple[float, Path] | None:
        """Seconds a step of a finished model, or of the newest run."""
        manifest = self.layout.model_manifest(dataset, variant)
        if manifest.is_file() and (seconds := Manifest.read(manifest).extra.get("seconds_per_step")):
            return float(seconds), manifest
        logs = self.layout.run(dataset, variant).glob("*/log.jsonl")
        for path in sorted(logs, key=lambda path: path.stat().st_mtime, reverse=True):
            entries = [json.loads(line) for line in path.read_text().splitlines()]
            measured = sorted(entry["seconds_per_step"] for entry in entries if "seconds_per_step" in entry)
            if measured:
                return float(measured[len(measured) // 2]), path
        return None


def seconds_a_clip(jobs: Sequence[Job], steps: int | None = None) -> float:
    """Seconds of one device for a clip, without loading; with `steps` of denoising instead of as many as were done.

    Of trainings only the optimizer steps count, not the checkpoints between them.
    """
    clips = sum(job.clips for job in jobs)
    if jobs[0].step == "train":
        return sum(job.repeated * job.processes for job in jobs) / clips
    more = sum(job.repeated * (steps / job.steps - 1) for job in jobs if job.steps) if steps else 0.0
    return (sum(job.seconds for job in jobs) + more) / clips
