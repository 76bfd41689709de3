"""The steps from latents to scores: `fca encode`, `train`, `sample`, `score`, `score-vae-roundtrip` and `vbench`."""

from typing import TYPE_CHECKING

import click

from fca.cli.common import Command, Name, configured, current_call, dataset, shard, split, variant
from fca.errors import FcaError, require_known

if TYPE_CHECKING:
    from fca.config import BaseKind, Config, SampleKind


@click.command(cls=Command, example="fca encode ssv2 train --shard 0")
@configured
@dataset
@split
@shard
@click.option(
    "--base", type=click.Choice(["text", "image"]), default="text", help="Take the networks of base, or of image_base."
)
def encode(config: "Config", dataset: str, split: str, shard: int, base: "BaseKind") -> None:
    """Run the frozen networks over a shard of clips."""
    from fca.encode.shard import encode

    encode(config, dataset, split, shard, base)


@click.command(cls=Command, example="fca train ssv2 fca")
@configured
@dataset
@variant
@click.option(
    "--accept-changes", is_flag=True, help="Go on with an unfinished run although settings, code or data have changed."
)
def train(config: "Config", dataset: str, variant: str, accept_changes: bool) -> int:
    """Train a variant. To resume, run the same command again.

    The exit status is 75 if training was asked to stop and saved what it had.
    """
    trained = [name for name in config.every_replicate if config.variant(name).trains]
    if variant not in trained:
        raise FcaError(f"the variant {variant!r} has nothing to train", f"one of {', '.join(trained)}")
    config.train_steps(dataset, variant)  # refuses an ablation on a dataset without ablation_steps
    from fca.train.launch import train

    return train(config, dataset, variant, accept_changes, current_call().argv)


@click.command(cls=Command, example="fca sample ssv2 fca --shard 0 --kind opposite")
@configured
@dataset
@variant
@shard
@click.option("--kind", type=click.Choice(["validation", "opposite", "edited"]), default="validation",
              help="The captions as they are, opposite ones, or edited_captions.")  # fmt: skip
def sample(config: "Config", dataset: str, variant: str, shard: int, kind: "SampleKind") -> None:
    """Predict a shard of validation clips."""
    if kind == "edited":
        from fca.sample.edited import sample_edited

        sample_edited(config, dataset, variant)
        return
    from fca.sample import sample

    sample(config, dataset, variant, kind, shard)


@click.command(cls=Command, example="fca score ssv2 fca")
@configured
@dataset
@variant
def score(config: "Config", dataset: str, variant: str) -> None:
    """Compare the predictions of a variant with the ground truth.

    \b
    FVD, KVD, PSNR and SSIM, and whether coloured objects are kept. For datasets made of the clip
    library also the task found, how far hand and object are off, and paths for `make executed`.
    """
    from fca.score import score

    score(config, dataset, variant)


@click.command(name="score-replicates", cls=Command, example="fca score-replicates ssv2 fca")
@configured
@dataset
@variant
def score_replicates(config: "Config", dataset: str, variant: str) -> None:
    """Put the scores of a variant's trainings together.

    For `train.replicates` of 2 or more. Each score becomes the mean of all trainings, with an interval for the choice
    of clips and trainings together.
    """
    from fca.score.replicates import score_replicates

    print(score_replicates(config, dataset, variant))


@click.command(name="compare-variants", cls=Command, example="fca compare-variants ssv2 table3")
@configured
@dataset
@click.argument("comparison", help="A table or figure of the paper, such as table3.")
def compare_variants(config: "Config", dataset: str, comparison: str) -> None:
    """Compare every two variants of a table in pairs.

    For each score: the difference, its interval, and whether it can be told from chance. All variants predict the
    same clips from the same noise, and training k of each saw the same clips in the same order. The verdicts are
    corrected for the number of pairs.
    """
    from fca.config.comparisons import COMPARISONS
    from fca.score.differences import compare_variants

    require_known("comparison", comparison, COMPARISONS)
    print(compare_variants(config, dataset, comparison))


@click.command(cls=Command, example="fca record ssv2 fca_ablation@2 -c config/pocket-evidence.yaml")
@configured
@dataset
@variant
def record(config: "Config", dataset: str, variant: str) -> None:
    """Record what a training is worth in docs/evidence.

    Scores at every length, what comparisons need, cost, settings and hashes: a small file for the repository. What is
    recorded isn't computed again by `snakemake evidence`, on any machine.
    """
    from fca.score.evidence import record_evidence

    print(record_evidence(config, dataset, variant))


@click.command(name="measure-vae-roundtrip", cls=Command, example="fca measure-vae-roundtrip ssv2 --shard 0")
@configured
@dataset
@shard
def measure_vae_roundtrip(config: "Config", dataset: str, shard: int) -> None:
    """Measure the VAE's reconstruction of a shard of validation clips, to be scored together."""
    from fca.score.roundtrips import measure_vae_roundtrip

    measure_vae_roundtrip(config, dataset, shard)


@click.command(name="score-vae-roundtrip", cls=Command, example="fca score-vae-roundtrip ssv2")
@configured
@dataset
def score_vae_roundtrip(config: "Config", dataset: str) -> None:
    """Score the VAE's reconstruction of the validation clips.

    The clips are encoded and decoded by the VAE, shards that were measured before excepted. The result bounds every
    prediction that goes through it.
    """
    from fca.score.vae_roundtrip import score_vae_roundtrip

    score_vae_roundtrip(config, dataset)


score_floor = Command(
    "score-floor",
    callback=score_vae_roundtrip.callback,
    params=score_vae_roundtrip.params[:-1],
    hidden=True,
    example="fca score-floor ssv2",
)
"""The old name of `score-vae-roundtrip`."""


@click.command(cls=Command, example="fca vbench ssv2 fca")
@configured
@dataset
@click.argument("measured", type=Name("measured"), metavar="VARIANT",
                help="A variant of the configuration, or `truth` for the ground truth.")  # fmt: skip
def vbench(config: "Config", dataset: str, measured: str) -> None:
    """Measure VBench of a variant or of the ground truth with the official package."""
    from fca.vbench.step import vbench

    print(vbench(config, dataset, measured))


COMMANDS = (
    encode,
    train,
    sample,
    score,
    score_replicates,
    compare_variants,
    record,
    measure_vae_roundtrip,
    score_vae_roundtrip,
    vbench,
)
