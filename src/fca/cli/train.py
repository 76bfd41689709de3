"""`fca encode` and `fca train`: the frozen networks, and the adapter that is trained on what they make."""

from typing import TYPE_CHECKING

import click

from fca.cli.common import Command, configured, current_call, dataset, shard, split, variant
from fca.errors import FcaError

if TYPE_CHECKING:
    from fca.config import BaseKind, Config


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
    trained = [name for name, own in config.every_variant.items() if own.trained]
    if variant not in trained:
        raise FcaError(f"the variant {variant!r} has nothing to train", f"one of {', '.join(trained)}")
    config.train_steps(dataset, variant)  # refuses an ablation on a dataset without ablation_steps
    from fca.train.launch import train

    return train(config, dataset, variant, accept_changes, current_call().argv)
