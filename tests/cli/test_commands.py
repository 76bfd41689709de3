"""Every command: its help, its example, and the call that a command line becomes."""

import resource
import shlex
import subprocess
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from fca.cli.main import SECTIONS, main
from fca.config.comparisons import COMPARISONS
from fca.pocket.build import STEPS
from tests.cli.test_main import POCKET

fca = sys.modules["fca.cli.main"].fca


def commands(group: click.Group = fca, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """The words of each command, and the command."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*words, name))
        else:
            yield (*words, name), command


def parse(arguments: list[str]) -> tuple[str, dict[str, Any]]:
    """The command's path and its parameters; nothing is called."""
    context = fca.make_context("fca", list(arguments))
    while isinstance(context.command, click.Group):
        name, command, rest = context.command.resolve_command(context, [*context._protected_args, *context.args])
        context = command.make_context(name, rest, parent=context)
    return context.command_path, context.params


EVERY = dict(commands())


@pytest.mark.parametrize("words", EVERY, ids=" ".join)
def test_every_command_has_help_with_an_example_that_parses(words: tuple[str, ...], capsys) -> None:
    assert main([*words, "-h"]) == 0
    shown = capsys.readouterr().out
    assert f"Usage: fca {' '.join(words)}" in shown
    example = EVERY[words].example
    assert example in shown
    call = example.removeprefix('eval "$(').removesuffix(')"').partition(" > ")[0]
    assert parse(shlex.split(call)[1:])[0] == f"fca {' '.join(words)}"
    assert all(param.help for param in EVERY[words].params if not param.name.endswith("_steps")), "each is explained"


def test_help_lists_every_command_in_sections_in_order(capsys) -> None:
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    listed = [f"{title}:" for title in SECTIONS]
    for title, own in SECTIONS.items():
        place = listed.index(f"{title}:") + 1
        listed[place:place] = [f"  {command.name} " for command in own]
    places = [shown.index(f"\n{words}") for words in listed]
    assert places == sorted(places)
    assert {f"  {name} " for name, command in fca.commands.items() if not command.hidden} <= set(listed)
    assert "score-floor" not in shown
    assert "..." not in shown.split("Steps, in order")[1], "no sentence is cut off"


def test_help_is_quick() -> None:
    """It imports neither torch nor pydantic; without them it takes a tenth of a second of a quiet processor."""
    heavy = ("torch", "numpy", "h5py", "av", "PIL", "yaml", "pydantic")
    code = f"import sys; from fca.cli import main; main(['--help']); sys.exit(str([*filter(sys.modules.get, {heavy})]))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.stderr == "[]\n"

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "fca.cli", "--help"], capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.5


@pytest.fixture
def called(monkeypatch) -> Callable[[str, str], list]:
    """Replace a function; its module isn't imported. Returns the list of its calls."""

    def replace(module: str, name: str) -> list:
        calls: list = []
        own = {name: lambda *given, **named: calls.append((given, named)) or ""}
        monkeypatch.setitem(sys.modules, module, types.SimpleNamespace(**own))
        return calls

    return replace


CONFIGURED = {
    "fetch ssv2": ("fca.data.fetch.fetch", ("ssv2",)),
    "index epic": ("fca.data.index.build_index", ("epic",)),
    "resample ssv2 train --shard 1": ("fca.data.resample.resample", ("ssv2", "train", 1)),
    "encode ssv2 validation --shard 0000": ("fca.encode.shard.encode", ("ssv2", "validation", 0, "text")),
    "encode ssv2 train --shard=0 --base image": ("fca.encode.shard.encode", ("ssv2", "train", 0, "image")),
    "sample ssv2 fca --shard 0": ("fca.sample.sample", ("ssv2", "fca", "validation", 0)),
    "sample --kind opposite ssv2 --shard 0 fca": ("fca.sample.sample", ("ssv2", "fca", "opposite", 0)),
    "sample ssv2 fca --shard 0000 --kind edited": ("fca.sample.edited.sample_edited", ("ssv2", "fca")),
    "score ssv2 repeat": ("fca.score.score", ("ssv2", "repeat")),
    "score-floor ssv2": ("fca.score.vae_roundtrip.score_vae_roundtrip", ("ssv2",)),
    "measure-vae-roundtrip ssv2 --shard 0": ("fca.score.roundtrips.measure_vae_roundtrip", ("ssv2", 0)),
    "score-vae-roundtrip ssv2": ("fca.score.vae_roundtrip.score_vae_roundtrip", ("ssv2",)),
    "vbench ssv2 fca": ("fca.vbench.step.vbench", ("ssv2", "fca")),
    "vbench ssv2 truth": ("fca.vbench.step.vbench", ("ssv2", "truth")),
    "report": ("fca.report.page.report", (None,)),
    **{f"report {name}": ("fca.report.page.report", (name,)) for name in COMPARISONS},
    "report evidence": ("fca.report.evidence.evidence", ()),
    "record ssv2 fca": ("fca.score.evidence.record_evidence", ("ssv2", "fca")),
    "data preview ssv2": ("fca.report.preview.preview", ("ssv2", ["train", "validation"], 12)),
    "data preview ssv2 --split train --clips 3": ("fca.report.preview.preview", ("ssv2", ["train"], 3)),
    "status": ("fca.runs.status.as_text", ()),
}


@pytest.mark.parametrize("line", CONFIGURED)
def test_each_command_calls_its_function(called, line: str) -> None:
    target, expected = CONFIGURED[line]
    calls = called(*target.rsplit(".", 1))
    words = line.split()
    assert main([*words, "-c", POCKET]) == 0
    first = 2 if words[0] == "data" else 1
    assert main([*words[:first], "--config", POCKET, *words[first:], "--debug"]) == 0
    for (config, *rest), _ in calls:
        if expected:
            assert config.scale == "pocket"
        assert tuple(rest) == expected
    assert len(calls) == 2


def test_training_knows_its_whole_command_line_for_other_processes(called) -> None:
    calls = called("fca.train.launch", "train")
    line = ["--debug", "train", "ssv2", "fca", "--accept-changes", "-c", POCKET]
    assert main(line) == 0
    [((_, *rest), _)] = calls
    assert rest == ["ssv2", "fca", True, line]


PARSED = {
    "predict --frames a.png b.png --prompt up --out o.mp4": {
        "frames": (Path("a.png"), Path("b.png")), "prompts": ("up",), "out": Path("o.mp4"), "frames_per_second": 8,
        "negative_prompt": "", "seed": 42, "steps": None, "guidance_scale": None, "model": None, "base": None,
        "vision_model": None, "precision": "fp32", "frames_out": None, "scheduler": None,
    },
    "predict --out o --fps 4 --frames a --seed 1 --negative-prompt -x --prompt=up --steps 9 --guidance 1.5 "
    "--model m --base b --vision-model v --precision bf16 --frames-out 40 --scheduler dpm": {
        "frames": (Path("a"),), "prompts": ("up",), "out": Path("o"), "frames_per_second": 4, "negative_prompt": "-x",
        "seed": 1, "steps": 9, "guidance_scale": 1.5, "model": Path("m"), "base": "b", "vision_model": "v",
        "precision": "bf16", "frames_out": 40, "scheduler": "dpm",
    },
    "card m": {"model": Path("m"), "file": Path("config/pocket.yaml")},
    "push m me/it": {"model": Path("m"), "repo": "me/it", "dry_run": False, "private": False, "revision": None},
    "push --private m me/it --dry-run --revision v1": {
        "model": Path("m"), "repo": "me/it", "dry_run": True, "private": True, "revision": "v1",
    },
    "study build --datasets ssv2 epic --variants fca base repeat --clips 9 --seed 7 -o s": {
        "datasets": ("ssv2", "epic"), "variants": ("fca", "base", "repeat"), "clips": 9, "seed": 7, "out": Path("s"),
    },
    "study build --variants fca --variants base -c x.yaml --out s": {
        "datasets": (), "variants": ("fca", "base"), "clips": 15, "seed": 42, "out": Path("s"), "file": Path("x.yaml"),
    },
    "study score study a.json b.json --partial -o r": {
        "key": Path("study"), "ratings": (Path("a.json"), Path("b.json")), "partial": True, "out": Path("r"),
    },
    "compare a.yaml b.yaml --out f": {"a": Path("a.yaml"), "b": Path("b.yaml"), "out": Path("f")},
    "data verify ssv2": {"dataset": "ssv2", "quarantine": False, "file": Path("config/pocket.yaml")},
    "data verify -c f.yaml ssv2 --quarantine": {"dataset": "ssv2", "quarantine": True, "file": Path("f.yaml")},
    "data check": {"dataset": None, "workers": None},
    "data check ssv2 --workers 3": {"dataset": "ssv2", "workers": 3},
    "plan --ablations --clips-per-second sample=2 --clips-per-second floor=.5 --json": {
        "ablations": True, "clips_per_second": (("sample", 2.0), ("vae-roundtrip", 0.5)), "as_json": True,
        "of_cards": False, "changes": (),
    },
    "config check a.yaml b.yaml": {"files": (Path("a.yaml"), Path("b.yaml"))},
    "config show -c f.yaml": {"file": Path("f.yaml")},
    "config table": {},
    "config schema": {},
}  # fmt: skip


@pytest.mark.parametrize("line", PARSED)
def test_options_mean_what_they_meant(line: str) -> None:
    _, found = parse(shlex.split(line))
    assert PARSED[line].items() <= found.items()
    assert set(found) - {"file"} == set(PARSED[line]) - {"file"}


def test_a_plan_with_other_settings(called, capsys) -> None:
    calls = called("fca.plan", "plan")
    sys.modules["fca.plan"].as_text = sys.modules["fca.plan"].cards = sys.modules["fca.plan"].cards_as_text = str
    other = ["--set", "train.replicates=2", "--set", "ablations=[lora, no_ftc]"]
    assert main(["plan", "-c", POCKET, "--ablations", *other]) == 0
    [((config, ablations, _), _)] = calls
    assert (config.train.replicates, list(config.ablations), ablations) == (2, ["lora", "no_ftc"], True)
    for wrong in ("train.replicates", "=2", "train..replicates=2"):
        assert main(["plan", "-c", POCKET, "--set", wrong]) == 2
        assert "is not KEY=VALUE" in capsys.readouterr().err
    assert main(["plan", "-c", POCKET, "--set", "train.replicate=2"]) == 2
    assert "did you mean 'replicates'?" in capsys.readouterr().err


def test_pocket_builds_all_parts_or_those_named(called) -> None:
    calls = called("fca.pocket.build", "build")
    assert main(["pocket", "--threads", "2"]) == 0
    assert main(["pocket", "vae", "image_base", "--vae-steps", "3", "--output", "o", "--cache=c"]) == 0
    [((all_parts,), first), ((parts,), second)] = calls
    assert tuple(all_parts) == tuple(STEPS)
    assert (first["threads"], first["steps"]) == (2, STEPS)
    assert parts == ("vae", "image_base")
    assert (second["steps"], second["output"], second["cache"]) == (STEPS | {"vae": 3}, Path("o"), Path("c"))
    assert main(["pocket", "vea"]) == 2
