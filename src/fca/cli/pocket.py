"""`fca pocket`: build the networks of the pocket scale."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from fca.cli.common import PATH, Command
from fca.pocket.build import PARTS, STEPS


def _steps_of_each_part(function: Callable) -> Callable:
    for part, steps in reversed(STEPS.items()):
        option = f"--{part.replace('_', '-')}-steps"
        function = click.option(option, f"{part}_steps", type=int, default=steps)(function)
    return function


@click.command(cls=Command, example="fca pocket vae base --threads 2")
@click.argument(
    "parts", nargs=-1, type=click.Choice(PARTS), metavar="PART", help=f"Of {', '.join(PARTS)} (default: all)."
)
@click.option("--output", type=PATH, default=Path("config/pocket-base"), help="Folder to write.")
@click.option("--cache", type=PATH, default=Path("data/pocket-corpus"), help="Folder of the rendered clips.")
@click.option("--seed", type=int, default=0, help="Seed of all parts.")
@click.option("--threads", type=int, help="CPU threads (default: chosen by torch).")
@_steps_of_each_part
def pocket(parts: tuple[str, ...], **settings: Any) -> None:
    """Rebuild the networks of the pocket scale (hours)."""
    from fca.pocket.build import build

    steps = {part: settings.pop(f"{part}_steps") for part in PARTS}
    build(parts or PARTS, steps=steps, **settings)
