"""What the parent of a killed step says: the likely cause, its memory, what it needs, and what lowers that."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from fca.runs.watched import Seen

ROUND_TRIP = ("encode.precision", "sample.batch_size", "score.batch_size")
SETTINGS: dict[str, tuple[str, ...]] = {
    "data verify": ("decode.processes",),
    "resample": ("decode.processes",),
    "encode": ("encode.precision", "encode.batch_size", "decode.processes"),
    "train": ("train.checkpointed_layers", "train.batch_size", "train.loader_workers", "train.processes"),
    "sample": ("sample.batch_size", "sample.precision"),
    "score": ("score.batch_size",),
    "measure-vae-roundtrip": ROUND_TRIP,
    "score-vae-roundtrip": ROUND_TRIP,
    "score-floor": ROUND_TRIP,
    "vbench": (),
    "predict": ("--precision",),
    "score-videos": ("--frames",),
}
"""Commands that are watched -> the settings that decide their memory, the strongest first."""
WORDS = {
    "precision": "set {name} to bf16",
    "checkpointed_layers": "raise {name}",
    "batch_size": "lower {name}",
    "train.batch_size": "lower {name} and raise train.gradient_accumulation by the same factor",
    "train.processes": "lower {name} and raise train.gradient_accumulation by the same factor",
    "processes": "lower {name}",
    "loader_workers": "lower {name}",
    "frames": "lower {name}",
}
"""A setting, or its last word -> what to do."""
ON_CORES = ("data verify", "resample")
"""Commands whose memory `fca plan` doesn't count."""
SECONDS = 120.0
"""How long `fca plan`'s count may take."""


def run_watched(argv: Sequence[str], group: click.Group, work: Callable[[], int]) -> int:
    """Do the work of a command line, that of heavy commands in a process of its own; return the exit status."""
    command = watched_command(argv)
    if not command:
        return work()
    from fca.runs.watched import end_as, watched

    seen = watched()
    if seen is None:
        return work()
    if seen.killed:
        with suppress(OSError):  # the reader may have been killed, too
            _explain(command, seen, _parameters(group, argv))
    return end_as(seen.status)


def watched_command(argv: Sequence[str]) -> str:
    """The command of a command line if it is a heavy one; empty otherwise."""
    words = [word for word in argv if not word.startswith("-")]
    found = next((name for name in (" ".join(words[:2]), *words[:1]) if name in SETTINGS), "")
    return "" if {"-h", "--help"} & {*argv} else found


def _parameters(group: click.Group, argv: Sequence[str]) -> dict[str, Any]:
    """The parameters of a command line and the loaded `config`, as far as they can be read."""
    found: dict[str, Any] = {}
    with suppress(Exception):
        context: click.Context = group.make_context("fca", list(argv))
        while isinstance(context.command, click.Group):
            name, command, rest = context.command.resolve_command(context, [*context._protected_args, *context.args])
            assert command is not None
            context = command.make_context(name, rest, parent=context)
        found |= context.params
        from fca.config import load

        found["config"] = load(found["file"])
    return found


def _explain(command: str, seen: "Seen", parameters: dict[str, Any]) -> None:
    """Print what is known, and last what takes seconds to find out."""
    from fca.runs.watched import tried

    what = "killed (SIGKILL)" if seen.status < 0 else "a process of this step was killed (SIGKILL, see above)"
    lines = [f"fca {command}: {what}, most likely for memory{_evidence(seen)}", *_memory(seen)]
    print("\n  ".join([*lines, *_remedy(command, parameters)]), file=sys.stderr, flush=True)
    if "config" in parameters and command not in ON_CORES:
        counted = tried(lambda: _counted(command, parameters), SECONDS)
        print(f"  {counted or 'run `fca plan` to see what it needs'}", file=sys.stderr, flush=True)


def _evidence(seen: "Seen") -> str:
    if seen.kills is None:
        return ""
    if seen.kills:
        return f": the kernel has killed {seen.kills} for it on this machine meanwhile"
    return ", but not by the kernel, which counts none: by a scheduler, another program or a person"


def _memory(seen: "Seen") -> Iterator[str]:
    from fca.runs import memory

    many = "" if seen.processes == 1 else f" in {seen.processes} processes"
    yield f"memory: up to {_gib(seen.peak)}{many} so far"
    total = memory.total()
    if total is not None and seen.available is not None:
        yield f"the machine has {_gib(total)}; at the lowest, {_gib(seen.available)} of them were left"
    for name, limit in memory.limits().items():
        yield f"limit of {'its cgroup' if name == 'cgroup' else f'the Slurm job ({name})'}: {_gib(limit)}"


def _gib(size: int) -> str:
    return f"{size / 2**30:.3g} GiB"


def _remedy(command: str, parameters: dict[str, Any]) -> Iterator[str]:
    """What to do, with the present values of settings; without those that can't be lowered any more."""
    lower = []
    for name in SETTINGS[command]:
        words = WORDS.get(name) or WORDS[name.rpartition(".")[2].lstrip("-")]
        if name.startswith("--") or "config" not in parameters:
            value, now = parameters.get(name.lstrip("-")), ""
        else:
            value = attrgetter(name)(parameters["config"])
            now = f" (now {'null' if value is None else value})"
        if value not in ("bf16", "fp16") and not (words.startswith("lower") and value in (0, 1)):
            lower.append(words.format(name=name + now))

    first, *others = ["give it more memory: mem_mb in the profile; without a scheduler, fewer jobs or programs at once"]
    if lower:
        first, others = ", ".join(lower), [f"or {first}"]
    yield f"remedy: {first}"
    yield from others
    yield "then run the same command again: nothing that was finished is lost"


def _counted(command: str, parameters: dict[str, Any]) -> str:
    """What `fca plan` counts, as a sentence."""
    from fca.plan.needed import needed_memory

    variant = parameters.get("variant", parameters.get("measured"))
    size = needed_memory(parameters["config"], command, parameters["dataset"], variant, parameters.get("base", "text"))
    assert size is not None
    return (
        f"`fca plan` counts {_gib(size)} for networks and activations: of the GPU, or without one of this memory, with "
        "1 GiB more"
    )
