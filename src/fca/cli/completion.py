"""`fca completion`: the shell completes commands, options, and the names in a configuration."""

import os
from pathlib import Path

import click

from fca.cli.common import Command

VARIABLE = "_FCA_COMPLETE"
"""Set by the shell's script when it asks for completions."""
SHELLS = ("bash", "zsh", "fish")


@click.command(cls=Command, example='eval "$(fca completion bash)"')
@click.argument("shell", type=click.Choice(SHELLS), required=False, help="Default: the shell in $SHELL.")
def completion(shell: str | None) -> None:
    """Print the script that lets a shell complete commands, options, datasets and variants.

    \b
    To have it in every shell:
      bash: echo 'eval "$(fca completion bash)"' >> ~/.bashrc
      zsh:  echo 'eval "$(fca completion zsh)"' >> ~/.zshrc
      fish: fca completion fish > ~/.config/fish/completions/fca.fish
    """
    own = Path(os.environ.get("SHELL", "")).name
    made = click.shell_completion.get_completion_class(shell or (own if own in SHELLS else SHELLS[0]))
    assert made is not None
    print(made(click.get_current_context().find_root().command, {}, "fca", VARIABLE).source())
