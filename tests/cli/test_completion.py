"""Completion in the shell: the scripts, and what they are told."""

import os
import subprocess
import sys

import pytest

from fca.cli.main import main
from tests.cli.test_main import POCKET, ROOT


def completed(words: str) -> set[str]:
    """What bash is offered for the last of the words."""
    asked = {"_FCA_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split(" ")) - 1)}
    command = [sys.executable, "-m", "fca.cli"]
    run = subprocess.run(command, cwd=ROOT, env=os.environ | asked, capture_output=True, text=True)
    assert run.stderr == ""
    return {line.partition(",")[2] for line in run.stdout.splitlines() if line}


@pytest.mark.parametrize(
    "words, expected",
    [
        ("fca scor", {"score", "score-replicates", "score-vae-roundtrip", "score-videos"}),
        ("fca data ", {"preview", "verify", "check"}),
        ("fca train --acc", {"--accept-changes"}),
        ("fca fetch ", {"ssv2", "bridge", "epic"}),
        ("fca fetch -c config/pocket-folder.yaml ", {"mine"}),
        ("fca fetch -c no.yaml ", set()),
        ("fca vbench ssv2 t", {"truth"}),
        ("fca report fig", {"figure5", "figure6", "figure7"}),
        ("fca study build --datasets e", {"epic"}),
    ],
)
def test_commands_options_and_names_of_the_configuration(words: str, expected: set[str]) -> None:
    assert completed(words) == expected


def test_variants_are_those_of_the_configuration() -> None:
    assert {"fca", "base", "repeat", "no_ftc"} <= completed("fca train ssv2 ")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_for_each_shell(shell: str, capsys, monkeypatch) -> None:
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert f"_FCA_COMPLETE={shell}_complete" in script
    monkeypatch.setenv("SHELL", f"/bin/{shell}")
    assert main(["completion"]) == 0
    assert capsys.readouterr().out == script


def test_bash_reads_its_script() -> None:
    script = subprocess.run([sys.executable, "-m", "fca.cli", "completion", "bash"], capture_output=True, text=True)
    assert subprocess.run(["bash", "-n"], input=script.stdout, text=True).returncode == 0


def test_an_unknown_shell() -> None:
    assert main(["completion", "tcsh", "-c", POCKET]) == 2
