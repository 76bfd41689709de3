"""The `fca` command: one command for each step of the workflow, files in, files out.

Modules that take long to import are imported by the command that needs them.
"""

import errno
import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import click

from fca import __version__

if not sys.stderr.isatty():  # a log gets a progress bar now and then, not ten a second; tqdm reads it when imported
    os.environ.setdefault("TQDM_MININTERVAL", "30")

from fca.cli import config, data, hub, plan, pocket, predict, rehearse, report, score_videos, steps, study, ui
from fca.cli.common import Call, Command, Group
from fca.cli.killed import run_watched
from fca.errors import FcaError
from fca.runs.output import finish_output, is_reader_gone

DEFECTS = (None, errno.ENOENT, errno.EBADF)
"""Errors of an OSError that are ours: steps check what they read, so a missing file was named wrongly here."""

SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_FCA_COMPLETE"
"""Set by the shell's script when it asks for completions."""


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


SECTIONS: dict[str, list[click.Command]] = {
    "Steps, in order": [data.fetch, data.index, data.resample, *steps.COMMANDS, report.report],
    "Look at the data": [data.data],
    "Use the results": [report.compare, study.study, predict.predict, ui.ui, report.export_lerobot, hub.card, hub.push],
    "Other people's results": [score_videos.score_videos],
    "Tools": [plan.plan, plan.doctor, rehearse.rehearse, plan.status, config.config, completion, pocket.pocket],
}


class _Sectioned(Group):
    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(str(command.name), command.get_short_help_str(100)) for command in commands])


@click.group(name="fca", cls=_Sectioned,
             commands=[*(command for commands in SECTIONS.values() for command in commands), steps.score_floor],
             context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100, "show_default": True},
             epilog="`fca COMMAND --help` explains a command and shows an example.")  # fmt: skip
@click.version_option(__version__, message="fca %(version)s")
def fca() -> None:
    """Predict the rest of a video from its first frames and a sentence, step by step."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Exit status: 0 done, 1 a problem, 2 a wrong command line or configuration, 75
    (`fca.errors.INTERRUPTED`) stopped on request, to be run again, 130 interrupted from the keyboard, 137 killed.

    `argv`: None: this process's own; then a heavy command runs in a process of its own, which this one watches.
    """
    if argv is not None or VARIABLE in os.environ:
        return _main(Call(list(sys.argv[1:] if argv is None else argv)))
    return run_watched(sys.argv[1:], fca, lambda: _main(Call(sys.argv[1:])))


def _main(call: Call) -> int:
    try:
        status = _run(call)
    except BrokenPipeError:
        if not is_reader_gone():  # a pipe of ours
            raise
        status = 1
    lost = finish_output()
    if lost is not None and lost.errno != errno.EPIPE and status == 0:
        return _failed(call, f"what it prints: {lost.strerror}\nremedy: print to another place", 1)
    return status


def _run(call: Call) -> int:
    if VARIABLE in os.environ:
        return click.shell_completion.shell_complete(fca, {}, "fca", VARIABLE, os.environ[VARIABLE])
    try:
        with fca.make_context("fca", list(call.argv), obj=call) as context:
            return fca.invoke(context) or 0
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.message, err=True)
        return error.exit_code
    except click.UsageError as error:
        remedy = f"remedy: `{call.command} --help` shows how it is called"
        return _failed(call, f"{error.format_message()}\n{remedy}", error.exit_code)
    except FcaError as error:
        return _failed(call, str(error), error.exit_status)
    except KeyboardInterrupt:
        return _failed(call, "interrupted", 130)
    except Exception as error:
        known = _of_the_disk(error, call)
        if known is None:
            raise
        return _failed(call, str(known), 1)


def _failed(call: Call, message: str, status: int) -> int:
    if call.debug:
        traceback.print_exc()
    first, *rest = message.splitlines() or ["unknown problem"]
    with suppress(OSError):  # the reader may have been killed, too
        print(f"{call.command}: {first}", *(f"  {line}" for line in rest), sep="\n", file=sys.stderr)
    return status


def _of_the_disk(error: Exception, call: Call) -> FcaError | None:
    """What to tell the user about a full disk or a file without access; None for any other error."""
    from fca.artifacts.atomic import is_full

    name = getattr(error, "filename", None)
    if is_full(error):
        if name is None and call.config is not None:
            from fca.config import Layout

            layout = Layout(call.config)
            name = f"{layout.root} or {layout.runs}"
        return FcaError(
            f"{name or 'the working directory'}: no space left on the disk",
            remedy="make room, or set data_dir and run_dir to a larger disk; then run the same command again",
        )
    if isinstance(error, OSError) and isinstance(name, str | bytes) and error.errno not in DEFECTS:
        return FcaError(
            f"{os.fsdecode(name)}: {error.strerror}",
            "a file or folder that this user may read and write, on a working disk",
            "fix that, then run the same command again; --debug shows where it was needed",
        )
    return None
