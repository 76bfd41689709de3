"""`fca score`, `score-vae-roundtrip` and `vbench`: measure predictions against the ground truth."""

from typing import TYPE_CHECKING

import click

from fca.cli.common import Command, Name, configured, dataset, variant

if TYPE_CHECKING:
    from fca.config import Config


@click.command(cls=Command, example="fca score ssv2 fca")
@configured
@dataset
@variant
def score(config: "Config", dataset: str, variant: str) -> None:
    """Compare the predictions of a variant with the ground truth."""
    from fca.score import score

    score(config, dataset, variant)


@click.command(name="score-vae-roundtrip", cls=Command, example="fca score-vae-roundtrip ssv2")
@configured
@dataset
def score_vae_roundtrip(config: "Config", dataset: str) -> None:
    """Score the VAE's reconstruction of the validation clips.

    The clips are encoded and decoded by the VAE. The result bounds every prediction that goes through it.
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
"""The name of `score-vae-roundtrip` in version 0.1.0."""


@click.command(cls=Command, example="fca vbench ssv2 fca")
@configured
@dataset
@click.argument(
    "measured",
    type=Name("measured"),
    metavar="VARIANT",
    help="A variant of the configuration, or `truth` for the ground truth.",
)
def vbench(config: "Config", dataset: str, measured: str) -> None:
    """Measure VBench of a variant or of the ground truth with the official package."""
    from fca.vbench.step import vbench

    print(vbench(config, dataset, measured))
