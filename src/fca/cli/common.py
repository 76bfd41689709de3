"""What all commands share: `-c`, `--debug`, and the loader that checks the names given. Quick to import."""

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from fca.errors import FcaError, require_known

if TYPE_CHECKING:
    from fca.config import Config

DEFAULT_CONFIG = Path("config/pocket.yaml")
SPLIT = click.Choice(["train", "validation"])
PATH = click.Path(readable=False, path_type=Path)
"""Completed by the shell; whoever opens the file reports what is wrong with it."""


@dataclass
class Call:
    """One run of the `fca` command."""

    argv: list[str] = field(default_factory=list)
    command: str = "fca"
    """The command and its subcommands, once they are known."""
    debug: bool = False
    config: "Config | None" = None


def current_call() -> Call:
    """The call whose command is running."""
    return click.get_current_context().ensure_object(Call)


def _set_debug(context: click.Context, option: click.Parameter, value: bool) -> None:
    context.ensure_object(Call).debug |= value


DEBUG = click.Option(
    ["--debug"], is_flag=True, expose_value=False, callback=_set_debug, help="Show a traceback with an error."
)


class ManyValues(click.Option):
    """An option that takes every value up to the next option: `--frames A B`, the same as `--frames A --frames B`."""

    def __init__(self, param_decls: Sequence[str], **settings: Any) -> None:
        super().__init__(param_decls, **settings | {"multiple": True})


class Command(click.Command):
    """A command with `--debug` and an example."""

    def __init__(self, *names: Any, example: str = "", **settings: Any) -> None:
        super().__init__(*names, **settings)
        self.example = example
        self.params.append(DEBUG)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.ensure_object(Call).command = ctx.command_path
        many = {name for param in self.params if isinstance(param, ManyValues) for name in param.opts}
        return super().parse_args(ctx, list(_one_value_each(ctx, args, many)))

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if self.example:
            with formatter.section("Example"):
                formatter.write(f"{'':{formatter.current_indent}}{self.example}\n")


def _one_value_each(ctx: click.Context, args: Sequence[str], many: set[str]) -> Iterator[str]:
    """The arguments, with the name of an option of many values, which needs one, repeated before each of its values."""
    option = ""
    for word, following in zip(args, [*args[1:], "-"], strict=False):
        if word in many:
            option = word
            if following.startswith("-") and not ctx.resilient_parsing:
                raise click.BadOptionUsage(word, f"Option {word!r} requires an argument.", ctx)
        elif option and not word.startswith("-"):
            yield from (option, word)
        else:
            option = ""
            yield word


class Group(click.Group):
    """Commands in the order in which they were added."""

    command_class = Command
    group_class = type

    def __init__(self, *names: Any, **settings: Any) -> None:
        super().__init__(*names, **settings)
        self.params.append(DEBUG)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.ensure_object(Call).command = ctx.command_path
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


class Name(click.ParamType):
    """A name that stands in the configuration: completed by the shell, checked by `configured`."""

    def __init__(self, kind: str) -> None:
        self.name = kind

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from fca.config import load

        try:
            names = known_names(load(ctx.params.get("file") or DEFAULT_CONFIG))[self.name]
        except FcaError:
            return []
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def known_names(config: "Config") -> dict[str, list[str]]:
    """Parameter of a command -> the names that it may have."""
    from fca.config.vbench import GROUND_TRUTH

    variants = config.every_run
    return {"dataset": list(config.datasets), "variant": variants, "measured": [*variants, GROUND_TRUTH]}


dataset = click.argument("dataset", type=Name("dataset"), help="A dataset of the configuration, such as ssv2.")
variant = click.argument("variant", type=Name("variant"), help="A variant of the configuration, such as fca.")
split = click.argument("split", type=SPLIT, metavar="SPLIT", help="train or validation.")
shard = click.option("--shard", type=int, required=True, metavar="K", help="Number of the shard, from 0.")

config_option = click.option(
    "-c", "--config", "file", type=PATH, default=DEFAULT_CONFIG, metavar="FILE", help="Configuration file."
)


def configured(function: Callable) -> Callable:
    """Add `-c`, and call the command with the loaded configuration, after checking its other arguments against it."""

    @config_option
    @functools.wraps(function)
    def call(file: Path, **arguments: Any) -> Any:
        from fca.config import load

        config = load(file)
        current_call().config = config
        _check(config, arguments)
        return function(config, **arguments)

    return call


def _check(config: "Config", arguments: dict[str, Any]) -> None:
    """Refuse names of datasets, variants and kinds, and the number of a shard, that the configuration lacks."""
    from fca.config import Layout

    layout, kind = Layout(config), arguments.get("kind")
    for parameter, known in known_names(config).items():
        if arguments.get(parameter) is not None:
            what = "variant" if parameter == "measured" else parameter
            require_known(what, arguments[parameter], known)
    if kind:
        dataset, variant = arguments["dataset"], arguments["variant"]
        if config.variant(variant).prediction == "repeat":
            raise FcaError(f"the variant {variant!r} has nothing to sample: it repeats the last initial frame")
        require_known("kind of samples", kind, layout.sample_kinds(dataset, variant))
    if "shard" in arguments:
        dataset, of = arguments["dataset"], kind or arguments.get("split", "validation")
        shards = layout.sample_shards(dataset, kind) if kind else layout.shards(dataset, of)
        if arguments["shard"] not in shards:
            raise FcaError(f"{dataset} {of} has no shard {arguments['shard']}", f"a number from 0 to {shards.stop - 1}")
