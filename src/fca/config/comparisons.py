"""The paper's tables and figures that compare variants: their rows, and the published FVD and KVD as cited constants.

A comparison is a target of the workflow (`snakemake table3`) and has its own page in the report's folder.
"""

from dataclasses import dataclass, field

from fca.config.models import Config
from fca.config.vbench import DIMENSIONS
from fca.errors import FcaError

SSV2, BRIDGE, EPIC = "ssv2", "bridge", "epic"


@dataclass(frozen=True)
class TableRow:
    """One row of a table."""

    label: str
    """The paper's words."""
    variant: str | None
    """The variant that reproduces the row; None: the row is only cited."""
    published: dict[str, tuple[str, str]] = field(default_factory=dict)
    """FVD and KVD by dataset, as the paper prints them."""
    baseline: bool = False
    """Whether the row is a baseline of this project and not in the paper."""


@dataclass(frozen=True)
class Comparison:
    """One table or figure of the paper."""

    title: str
    rows: tuple[TableRow, ...]
    datasets: tuple[str, ...] = (SSV2,)
    note: str = ""

    @property
    def variants(self) -> list[str]:
        """The variants to run for it."""
        return [row.variant for row in self.rows if row.variant is not None]


def _scores(*values: str) -> dict[str, tuple[str, str]]:
    """FVD and KVD, alternately, on SSv2 or on the three datasets."""
    return dict(zip((SSV2, BRIDGE, EPIC), zip(values[::2], values[1::2], strict=True), strict=False))


BASELINES = (
    TableRow("Base model, not adapted", "base", baseline=True),
    TableRow("Copy the last frame", "repeat", baseline=True),
)
"""Below every table; its page adds the VAE reconstruction bound, if it was measured."""

VBENCH_PUBLISHED = {
    SSV2: {
        "Seer": dict(zip(DIMENSIONS, (0.8655, 0.3765, 0.9172, 0.1038, 0.7301, 0.8955), strict=True)),
        "FCA": dict(zip(DIMENSIONS, (0.8769, 0.4279, 0.9570, 0.1965, 0.8098, 0.9461), strict=True)),
    }
}
"""Table 6: VBench on SSv2 with its captions as prompts; higher is better."""

COMPARISONS = {
    "table1": Comparison(
        "Table 1: comparison with existing methods",
        (
            TableRow("TATS", None, _scores("428.1", "2177", "1253", "6213", "920.0", "5065")),
            TableRow("MCVD", None, _scores("1407", "3.80", "1427", "2.50", "4804", "5.17")),
            TableRow("SimVP", None, _scores("537.2", "0.61", "681.6", "0.73", "1991", "1.34")),
            TableRow("MAGE", None, _scores("1201.8", "1.64", "2605", "3.19", "1358", "1.61")),
            TableRow("PVDM", None, _scores("502.4", "61.08", "490.4", "122.4", "482.3", "104.8")),
            TableRow("VideoFusion", None, _scores("163.2", "0.20", "501.2", "1.45", "349.9", "1.79")),
            TableRow("Tune-A-Video", None, _scores("291.4", "0.91", "515.7", "2.01", "365.0", "1.98")),
            TableRow("Seer", None, _scores("112.9", "0.12", "246.3", "0.55", "271.4", "1.40")),
            TableRow("FCA", "fca", _scores("67.7", "-0.18", "96.5", "0.43", "164.6", "0.45")),
            *BASELINES,
        ),
        (SSV2, BRIDGE, EPIC),
        "The paper cites rows 1 to 8 from Seer.",
    ),
    "table2": Comparison(
        "Table 2: comparison with an image-to-video model",
        (
            TableRow("CogVideoX1.5-5B-I2V", "image_to_video", _scores("198.0", "0.20")),
            TableRow("CogVideoX1.5-5B-I2V + LoRA", "image_to_video_lora", _scores("352.6", "0.45")),
            TableRow("FCA", "fca", _scores("67.7", "-0.18")),
            *BASELINES,
        ),
    ),
    "table3": Comparison(
        "Table 3: fine-tuning strategy, frame-wise text conditioning (FTC) and mask",
        (
            TableRow("LoRA", "lora", _scores("354.9", "0.78")),
            TableRow("FCA, no FTC", "no_ftc", _scores("152.3", "0.18")),
            TableRow("FCA, uniform FTC, no mask", "uniform", _scores("157.2", "0.34")),
            TableRow("FCA, uniform+R FTC, no mask", "uniform_refined", _scores("155.2", "0.20")),
            TableRow("FCA, layer-wise FTC, no mask", "no_mask", _scores("117.6", "0.14")),
            TableRow("FCA, layer-wise FTC, mask", "fca_ablation", _scores("94.1", "0.11")),
            *BASELINES,
        ),
    ),
    "table4": Comparison(
        "Table 4: pre-norm of the frame-wise text",
        (
            TableRow("FCA, no pre-norm", "no_pre_norm", _scores("105.4", "0.13")),
            TableRow("FCA, pre-norm", "fca_ablation", _scores("94.1", "0.11")),
            *BASELINES,
        ),
    ),
    "figure5": Comparison(
        "Figure 5: LoRA, FCA, an image-to-video model, and LoRA on that",
        (
            TableRow("(a) LoRA", "lora"),
            TableRow("(b) FCA", "fca"),
            TableRow("(c) CogVideoX1.5-5B-I2V", "image_to_video"),
            TableRow("(d) CogVideoX1.5-5B-I2V + LoRA", "image_to_video_lora"),
        ),
    ),
    "figure6": Comparison(
        "Figure 6: inserting initial frames",
        (
            TableRow("(a) ControlNet, frame duplicated", "controlnet_repeated"),
            TableRow("ControlNet, padded with zeros (not shown in the paper)", "controlnet_zeros"),
            TableRow("(b) FCA without frame-wise text conditioning", "no_ftc"),
        ),
    ),
    "figure7": Comparison(
        "Figure 7: scale of the output",
        (
            TableRow("Scale from 0.1", "fca_ablation"),
            TableRow("Scale from 1", "scale_one"),
            TableRow("Added after the gate (not in the paper)", "after_gate"),
        ),
    ),
}


def comparison_config(config: Config, name: str) -> Config:
    """The configuration with only a comparison's datasets and variants, and with its own report folder.

    Raises:
        FcaError: the configuration lacks one of its variants or all of its datasets.
    """
    comparison = COMPARISONS[name]
    if missing := [variant for variant in comparison.variants if variant not in config.every_variant]:
        raise FcaError(
            f"{name} needs the variants {', '.join(missing)}, which the configuration doesn't have",
            remedy="add them to ablations",
        )
    datasets = {key: settings for key, settings in config.datasets.items() if settings.format in comparison.datasets}
    variants = {variant: config.variant(variant) for variant in comparison.variants}
    if any(variant.steps == "ablation" for variant in variants.values()):
        datasets = {key: settings for key, settings in datasets.items() if settings.ablation_steps is not None}
    if not datasets:
        raise FcaError(
            f"{name} compares variants on {', '.join(comparison.datasets)}, but no such dataset is configured for it",
            remedy="add one; if the comparison has ablations, with ablation_steps",
        )
    changes = {"datasets": datasets, "variants": variants, "ablations": {}}
    return config.model_copy(update=changes | {"report_dir": f"{config.report_dir}/{name}"})
