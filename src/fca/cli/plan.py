"""`fca plan`, `fca doctor` and `fca status`: what a configuration will take, lacks, and how far its trainings are."""

import json
from typing import TYPE_CHECKING, Any

import click

from fca.cli.common import Command, configured

if TYPE_CHECKING:
    from fca.config import Config

STEPS = ("encode", "train", "sample", "score", "vae-roundtrip")


class Rate(click.ParamType):
    """STEP=RATE."""

    name = "rate"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, float]:
        step, _, number = value.partition("=")
        step = "vae-roundtrip" if step == "floor" else step
        try:
            rate = float(number)
        except ValueError:
            rate = 0.0
        if step not in STEPS or not 0 < rate < float("inf"):
            self.fail(f"{value!r} is not STEP=RATE, such as encode=2.5.", param, ctx)
        return step, rate


@click.command(cls=Command, example="fca plan -c config/paper.yaml --clips-per-second encode=2.5")
@configured
@click.option("--ablations", is_flag=True, help="Plan the variants below ablations, too.")
@click.option("--clips-per-second", type=Rate(), multiple=True, metavar="STEP=RATE",
              help=f"Throughput of one GPU; STEP: {', '.join(STEPS)}. May be repeated.")  # fmt: skip
@click.option("--cards", "of_cards", is_flag=True,
              help="Print instead what GPUs of 12 to 141 GB train and predict, with which settings.")  # fmt: skip
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE",
              help="Plan with another setting, such as train.replicates=2. May be repeated.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON, in bytes and hours.")
def plan(
    config: "Config", ablations: bool, clips_per_second: tuple[tuple[str, float], ...], of_cards: bool,
    changes: tuple[str, ...], as_json: bool,
) -> None:  # fmt: skip
    """Print jobs, disk, GPU hours and memory of each step, before anything runs.

    Reads no data and no weights. On a machine without a GPU, hours are those of its cores, from what was measured
    there.
    """
    if changes:
        config = _with(changes)
    from fca.plan import as_text, cards, cards_as_text, plan

    if of_cards:
        found = cards(config, dict(clips_per_second))
        print(json.dumps(found.as_json(), indent=1) if as_json else cards_as_text(found))
        return
    planned = plan(config, ablations, dict(clips_per_second))
    print(json.dumps(planned.as_json(), indent=1) if as_json else as_text(planned))


def _with(changes: tuple[str, ...]) -> "Config":
    """The configuration of this call with other settings, by their dotted names."""
    from fca.config import load

    overrides: dict[str, Any] = {}
    for change in changes:
        name, equals, value = change.partition("=")
        *groups, last = name.split(".")
        if not (equals and all(groups) and last):
            raise click.BadParameter(f"{change!r} is not KEY=VALUE, such as train.replicates=2.", param_hint="--set")
        below = overrides
        for group in groups:
            below = below.setdefault(group, {})
        below[last] = value
    return load(click.get_current_context().params["file"], overrides)


@click.command(cls=Command, example="fca status -c config/paper.yaml")
@configured
def status(config: "Config") -> None:
    """List all trainings: step, speed, time left, newest checkpoint, loss, health.

    Trainings of earlier settings in the configuration's run_dir are included.
    """
    from fca.config import Layout
    from fca.runs.status import as_text

    print(as_text(Layout(config).runs))


@click.command(cls=Command, example="fca doctor -c config/paper.yaml")
@configured
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for a bug report or a script.")
def doctor(config: "Config", as_json: bool) -> int:
    """Say what is missing on this machine for a configuration, and what to do about it.

    Versions, devices, decoders, Snakemake, disk, weights (there, missing or with another hash) and datasets. Nothing is
    downloaded. The exit status is 1 if there is a problem.
    """
    from fca import doctor

    found = doctor.look(config)
    print(json.dumps(doctor.as_json(found), indent=1) if as_json else doctor.as_text(found))
    return min(doctor.problems(found), 1)
