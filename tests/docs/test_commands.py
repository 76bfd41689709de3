"""Commands in the pages exist: `fca`, `snakemake`, `make`, `dvc` and `python -m`, by their own parsers."""

import argparse
import re
import shlex
from collections.abc import Callable, Iterator

import click
import pytest
import yaml

from tests.docs.pages import PAGES, ROOT, blocks, name, spans
from tests.workflow.project import Project

PROGRAMS = ("fca", "snakemake", "make", "dvc", "python")

STANDS_FOR = {
    "D": "ssv2", "DATASET": "ssv2", "V": "fca", "VARIANT": "fca", "SPLIT": "train", "k": "0", "K": "0", "N": "1",
    "B": "text", "FILE": "config/pocket.yaml", "TARGET": "all", "PART": "vae", "COMMAND": "train",
}  # fmt: skip
"""What a letter or a word in capitals stands for."""


@pytest.fixture(autouse=True)
def no_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    """The parsers of Snakemake and DVC also look at `sys.argv`."""
    monkeypatch.setattr("sys.argv", ["docs"])


class Refused(Exception):
    """A parser's own words about a command."""


class Incomplete(Refused):
    """Something that is required is missing, as it may be if a text only mentions a command."""


def commands(text: str) -> Iterator[tuple[bool, list[str]]]:
    """The commands of a page, word by word; True: a whole one, in a block of code."""
    for block in blocks(text):
        for line in block.replace("\\\n", " ").splitlines():
            yield from ((True, words) for words in _commands(line))
    for span in spans(text):
        yield from ((False, words) for words in _commands(span))


def _commands(line: str) -> Iterator[list[str]]:
    for part in re.split(r";|&&|\|", re.sub(r"(^|\s)#.*", "", line)):
        try:
            words = shlex.split(part)
        except ValueError:  # Python, or half of a line that has quotes around a separator
            continue
        while words and re.fullmatch(r"[A-Z_]+=\S*|exec", words[0]):
            del words[0]
        words = [_written_out(word) for word in words if word not in ("...", "[...]")]
        if words and words[0].removeprefix(".venv/bin/") in PROGRAMS:
            yield [words[0].removeprefix(".venv/bin/"), *words[1:]]


def _written_out(word: str) -> str:
    head, underscore, tail = word.rpartition("_")
    return head + underscore + STANDS_FOR.get(tail, tail)


EVERY = [(name(page), whole, words) for page in PAGES for whole, words in commands(page.read_text())]


def check(program: str, parse: Callable[[list[str]], None]) -> None:
    """Fail with every command of a program that its parser refuses; a mention may leave out what is required."""
    refused, count = [], 0
    for page, whole, (first, *arguments) in EVERY:
        if first == program and arguments:
            count += 1
            try:
                parse(arguments)
            except Incomplete as error:
                refused += [f"{page}: {program} {shlex.join(arguments)}: {error}"] if whole else []
            except Refused as error:
                refused.append(f"{page}: {program} {shlex.join(arguments)}: {error}")
    assert count > 2
    assert refused == []


def parsed(parser: argparse.ArgumentParser, arguments: list[str]) -> argparse.Namespace:
    """What argparse understands.

    Raises:
        Refused: it doesn't.
    """

    def refuse(self: argparse.ArgumentParser, message: str) -> None:
        raise (Incomplete if "are required" in message or "expected one argument" in message else Refused)(message)

    with pytest.MonkeyPatch.context() as patch:
        for kind in {argparse.ArgumentParser, type(parser)}:
            patch.setattr(kind, "error", refuse)
        try:
            return parser.parse_args(arguments)
        except SystemExit:  # --help, --version: an error is refused above
            return argparse.Namespace()


def parse_fca(arguments: list[str]) -> None:
    """Parse a command line of `fca` without running it.

    Raises:
        Refused: there is no such command, option or value.
    """
    from fca.cli.main import fca

    words, command = list(arguments), fca
    context = click.Context(command, info_name="fca", **command.context_settings)  # click keeps its help option
    try:
        while isinstance(command, click.Group) and words and not words[0].startswith("-"):
            found = command.get_command(context, words[0])
            if found is None:
                raise Refused(f"no command {words[0]}")
            command, context = found, click.Context(found, parent=context, info_name=words.pop(0))
        command.make_context(command.name, words, parent=context.parent)
    except click.exceptions.Exit:  # --help, --version
        return
    except click.UsageError as error:
        missing = isinstance(error, click.MissingParameter | click.exceptions.NoArgsIsHelpError)
        incomplete = missing or "requires an argument" in error.format_message()
        raise (Incomplete if incomplete else Refused)(error.format_message()) from None


def test_fca_parses_its_commands() -> None:
    check("fca", parse_fca)


@pytest.mark.parametrize("arguments", [["scores"], ["train", "--no-such-option", "ssv2", "fca"]])
def test_a_wrong_command_is_refused(arguments: list[str]) -> None:
    with pytest.raises(Refused) as caught:
        parse_fca(arguments)
    assert caught.type is Refused


def test_a_command_without_its_dataset_is_incomplete() -> None:
    with pytest.raises(Incomplete):
        parse_fca(["train"])


def test_make_has_its_targets() -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    def parse(arguments: list[str]) -> None:
        if unknown := {word for word in arguments if "=" not in word and word[0] != "-"} - targets:
            raise Refused(f"no target {unknown}")

    check("make", parse)


def test_python_finds_its_modules() -> None:
    def parse(arguments: list[str]) -> None:
        path = arguments[arguments.index("-m") + 1].replace(".", "/") if "-m" in arguments else "fca/__init__"
        files = [ROOT / start / f"{path}{end}" for start in ("", "src") for end in (".py", "/__main__.py")]
        if not any(file.is_file() for file in files):
            raise Refused("no such module")

    check("python", parse)


def test_dvc_parses_its_commands_and_has_the_stages() -> None:
    from dvc.cli.parser import get_main_parser

    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]

    def parse(arguments: list[str]) -> None:
        found = parsed(get_main_parser(), arguments)
        if arguments[0] == "repro" and (
            unknown := {target.partition("@")[0] for target in found.targets or []} - stages.keys()
        ):
            raise Refused(f"no stage {unknown}")

    check("dvc", parse)


def test_snakemake_parses_its_commands_and_has_the_targets(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Rules and files, in one dry run for each configuration that a command names."""
    from snakemake.cli import get_argument_parser

    monkeypatch.chdir(ROOT)
    asked: dict[str, set[str]] = {}

    def parse(arguments: list[str]) -> None:
        found = parsed(get_argument_parser(), arguments)
        for profile in [*(found.profile or []), found.workflow_profile]:
            if profile and not (ROOT / profile / "config.yaml").is_file():
                raise Refused(f"no profile {profile}")
        config = str(found.configfile[0]) if found.configfile else "config/pocket.yaml"
        forced = found.forcerun if isinstance(found.forcerun, list | set | frozenset) else []
        asked.setdefault(config, set()).update(str(target) for target in [*(found.targets or []), *forced])

    check("snakemake", parse)

    project = Project.new(tmp_path_factory.mktemp("docs") / "project")
    steps = set(
        re.findall(r"^rule (\w+):", "".join(file.read_text() for file in (ROOT / "workflow").rglob("*.smk")), re.M)
    )
    for config, targets in asked.items():
        targets -= (steps - {"vbench", "pocket_base"}) | {"all"}  # those have wildcards, or a test of their own
        if targets:
            run = project.snakemake("--dry-run", "--quiet", "--configfile", config, "--", *sorted(targets))
            assert run.returncode == 0, run.stdout + run.stderr
