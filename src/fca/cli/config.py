"""`fca config`: check and show configuration files, and print what describes them."""

from pathlib import Path

import click

from fca.cli.common import PATH, Group, config_option


@click.group(cls=Group)
def config() -> None:
    """Check and show configuration files; print their schema or the table of settings."""


@config.command(example="fca config check config/pocket.yaml config/paper.yaml")
@click.argument("files", nargs=-1, required=True, type=PATH, metavar="FILE", help="Configuration files.")
def check(files: tuple[Path, ...]) -> None:
    """Check configuration files."""
    from fca.config.load import check_networks, load_with_origins

    for path in files:
        loaded, origins = load_with_origins(path)
        for kind in ("text", "image") if loaded.image_base else ("text",):
            check_networks(loaded, origins, kind)
        names = f"datasets {', '.join(loaded.datasets)}; variants {', '.join(loaded.variants)}"
        print(f"{path}: valid settings (the data wasn't looked at); scale {loaded.scale}; {names}")


@config.command(example="fca config show -c config/paper.yaml")
@config_option
def show(file: Path) -> None:
    """Print the resolved settings, each with the file and line it came from."""
    from fca.config.show import show

    print(show(file), end="")


@config.command(example="fca config table > config/README.md")
def table() -> None:
    """Print config/README.md."""
    from fca.config.table import table

    print(table(), end="")


@config.command(example="fca config schema > workflow/schemas/config.schema.json")
def schema() -> None:
    """Print workflow/schemas/config.schema.json."""
    from fca.config.table import schema

    print(schema(), end="")
