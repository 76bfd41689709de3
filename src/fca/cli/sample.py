"""`fca sample`."""

from typing import TYPE_CHECKING

import click

from fca.cli.common import Command, configured, dataset, shard, variant

if TYPE_CHECKING:
    from fca.config import Config, SampleKind


@click.command(cls=Command, example="fca sample ssv2 fca --shard 0 --kind opposite")
@configured
@dataset
@variant
@shard
@click.option(
    "--kind",
    type=click.Choice(["validation", "opposite", "edited"]),
    default="validation",
    help="The captions as they are, opposite ones, or edited_captions.",
)
def sample(config: "Config", dataset: str, variant: str, shard: int, kind: "SampleKind") -> None:
    """Predict a shard of validation clips."""
    if kind == "edited":
        from fca.sample.edited import sample_edited

        sample_edited(config, dataset, variant)
        return
    from fca.sample import sample

    sample(config, dataset, variant, kind, shard)
