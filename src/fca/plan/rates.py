"""GPU hours, from rates on the command line, from logs, or from the paper."""

import json
from pathlib import Path

from fca.artifacts.manifest import Manifest
from fca.config import Config, Layout

TRAINING_CLIP = 8.64 * 4 / 8
"""GPU seconds of a clip in training. The paper: 8.64 s an optimizer step of eight clips on four A100s."""
SAMPLED_CLIP = 42.0
"""GPU seconds of a clip of 16 frames, 720x480, 50 steps with guidance, on an A100. The paper: 2,048 in 6 h on four."""

Hours = tuple[float | None, str]
"""GPU hours, and the source of the rate."""


class Rates:
    """GPU hours of the steps of a configuration; `throughput`: clips per second of one GPU, by step."""

    def __init__(self, config: Config, throughput: dict[str, float]) -> None:
        self.config, self.layout, self.throughput = config, Layout(config), throughput

    def of_clips(self, step: str, clips: int) -> Hours:
        """Hours of a step without a published rate."""
        if step in self.throughput:
            return clips / self.throughput[step] / 3600, f"{self.throughput[step]:g} clips per second, as requested"
        return None, f"the rate is unknown: add --clips-per-second {step}=RATE"

    def training(self, dataset: str, variant: str) -> Hours:
        """Hours of all GPUs of a training together."""
        settings, steps = self.config.train, self.config.train_steps(dataset, variant)
        clips = steps * settings.clips_per_step
        if "train" in self.throughput:
            return self.of_clips("train", clips)
        if (found := self._logged(dataset, variant)) is not None:
            seconds, where = found
            return steps * seconds * settings.processes / 3600, f"{seconds:.3g} s a step, measured: {where}"
        if self._paper() and self.config.variant(variant).adapter == "fca":
            hours = clips * TRAINING_CLIP / 3600
            return hours, f"{TRAINING_CLIP:.2f} A100 seconds a clip (the paper: 8.64 s a step of 8 on 4)"
        return self.of_clips("train", clips)

    def sampling(self, variant: str, clips: int) -> Hours:
        """Hours of predicting clips."""
        own, steps = self.config.variant(variant), self.config.sample.steps
        if "sample" not in self.throughput and self._paper() and own.base == "text" and own.adapter in ("fca", "none"):
            seconds = SAMPLED_CLIP * steps / 50
            return clips * seconds / 3600, f"{seconds:.3g} A100 seconds a clip (the paper: 42 with 50 steps)"
        return self.of_clips("sample", clips)

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
