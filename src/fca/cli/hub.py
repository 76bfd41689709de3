"""`fca card` and `fca push`: a trained model for others."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fca.cli.common import PATH, Command, configured

if TYPE_CHECKING:
    from fca.config import Config

model = click.argument("model", type=PATH, help="A model's folder, as `fca train` wrote it.")


@click.command(cls=Command, example="fca card data/pocket/ssv2/models/fca")
@configured
@model
def card(config: "Config", model: Path) -> None:
    """Write a model's card (README.md) again, with its scores.

    It has scores if the folder is a model of the configuration and they belong to this model. It replaces README.md,
    your own changes included. No step of the workflow runs again.
    """
    from fca.report.model_card import refresh

    path, why = refresh(config, model)
    if why:
        print(f"fca card: without scores: {why}", file=sys.stderr)
    print(path)


@click.command(cls=Command, example="fca push data/pocket/ssv2/models/fca me/fca-ssv2 --dry-run")
@model
@click.argument("repo", metavar="REPO", help="Repository on the hub, org/name; created if it doesn't exist.")
@click.option("--dry-run", is_flag=True, help="List the files with their sizes; use no network.")
@click.option("--private", is_flag=True, help="Create a private repository; an existing one must be private.")
@click.option("--revision", metavar="NAME", help="Branch to push to, created if it doesn't exist (default: main).")
def push(model: Path, repo: str, dry_run: bool, private: bool, revision: str | None) -> None:
    """Push a model and its card to the Hugging Face hub.

    Only the model's own files are sent (README.md, model.json, config.json, *.safetensors, the parts of a diffusers
    pipeline); what else is in the folder is listed and left out. Log in once with `hf auth login`.
    """
    from fca.pretrained.exported import ExportedModel
    from fca.pretrained.hub.names import hub_name
    from fca.pretrained.hub.push import check_name, choose
    from fca.pretrained.hub.push import push as send

    check_name(repo)
    choice = choose(model)
    for name, size in choice.files.items():
        print(f"{size:>15,}  {name}")
    print(f"{sum(choice.files.values()):>15,}  bytes in {len(choice.files)} files")
    for name, why in choice.left_out.items():
        print(f"       left out  {name}: {why}")
    exported = ExportedModel.read(model)
    for network in (exported.base, exported.vision_model):
        if hub_name(network) is None:
            print(f"fca push: model.json names the folder {network}, which others need, too", file=sys.stderr)

    if not dry_run:
        print(send(model, repo, choice.files, private, revision))
