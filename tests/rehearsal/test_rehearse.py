"""`fca rehearse` runs all steps with a kill between, says what they took, and names the first that fails."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest
import yaml

from fca.artifacts.manifest import Manifest
from fca.config import Layout, load
from fca.config.rehearsal import rehearsal
from fca.config.shipped import REPOSITORY, located
from fca.errors import FcaError
from fca.plan import Plan, plan
from fca.rehearsal.rehearse import _require_room, rehearse
from tests.conftest import CONFIG, small_config

pytestmark = pytest.mark.slow


@pytest.fixture
def file(tmp_path, random_base):
    """A configuration of one dataset and two variants, at the tests' size."""
    values = small_config(tmp_path, random_base).model_dump(mode="json")
    values["datasets"] = {"ssv2": values["datasets"]["ssv2"]}
    values["variants"] = {name: values["variants"][name] for name in ("fca", "base")}
    values["ablations"] = {"no_ftc": values["ablations"]["no_ftc"]}
    values["score"]["vbench"] = None  # where its environment is there: decord takes clips 48 pixels wide for RGBA
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def run(*command, cwd) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", *map(str, command)], cwd=cwd, capture_output=True, text=True, env=os.environ
    )


def test_a_rehearsal_from_nothing_to_its_report(file, tmp_path):
    done = run("fca.cli", "rehearse", "-c", file, "--kill", "--variants", "fca", "no_ftc", "--cores", 2, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "killed the training of fca on ssv2 after a checkpoint; it resumes" in done.stdout
    small = load(tmp_path / "data/pocket-rehearsal/rehearsal.yaml")
    layout = Layout(small)

    # The training went on from the checkpoint, and the ablation was made, too.
    log = [json.loads(line) for line in next(layout.run("ssv2", "fca").glob("*/log.jsonl")).read_text().splitlines()]
    assert [entry["step"] for entry in log] == [1, 2]
    assert not list(layout.run("ssv2", "fca").rglob("checkpoint*")), "10 GB each at full size"
    assert layout.scores("ssv2", "no_ftc").is_file()

    # Every step that computes is in the table, on the terminal, in the report, and in the plan from now on.
    rows = json.loads(layout.rehearsal.read_text())["rows"]
    steps = {row[0] for row in rows}
    assert steps >= {"resample", "encode", "train", "sample", "score", "measure-vae-roundtrip"}
    for row in rows:
        assert row[0] in done.stdout
    page = layout.report.read_text()
    assert "Rehearsal: these are no results." in page
    assert page.index("Rehearsal: these are no results.") < page.index("<h1>")
    assert 'id="rehearsal"' in page
    named = set(re.findall(r"--config(?:file)? (\S+\.yaml)", page))
    assert {(tmp_path / one).relative_to(tmp_path).as_posix() for one in named} == {"data/pocket-rehearsal/models.yaml"}
    planned = run("fca.cli", "plan", "-c", file, cwd=tmp_path)
    assert "measured on CPU" in planned.stdout
    assert Manifest.read(layout.model_manifest("ssv2", "fca")).made_by["rehearsal"] == "not a result"

    # Again there is nothing to compute.
    before = layout.scores("ssv2", "fca").stat().st_mtime_ns
    again = run("fca.cli", "rehearse", "-c", file, "--variants", "fca", "no_ftc", "--cores", 2, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert layout.scores("ssv2", "fca").stat().st_mtime_ns == before


def test_the_first_step_that_fails_is_named_with_its_remedy(file, tmp_path, random_base):
    values = yaml.safe_load(file.read_text())
    network = shutil.copytree(located(values["features"]["network"]), tmp_path / "features")
    weights = network / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    values["features"] |= {"network": str(network), "sha256": None}
    file.write_text(yaml.safe_dump(values))
    done = run("fca.cli", "rehearse", "-c", file, "--variants", "base", "--cores", 2, cwd=tmp_path)
    assert done.returncode == 1
    last = done.stderr[done.stderr.rindex("fca rehearse: ") :]
    assert "the rehearsal stopped at measure_vae_roundtrip" in last or "the rehearsal stopped at score_variant" in last
    assert "see " in last
    assert "then run the same command again" in last


def test_datasets_without_models_end_with_their_latents(file, tmp_path, random_base):
    values = yaml.safe_load(file.read_text())
    values["datasets"] = small_config(tmp_path, random_base).model_dump(mode="json")["datasets"]
    file.write_text(yaml.safe_dump(values))
    options = ("--clips", 1, "--variants", "base", "--models-on", "bridge", "--cores", 2)
    done = run("fca.cli", "rehearse", "-c", file, *options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    layout = Layout(load(tmp_path / "data/pocket-rehearsal/rehearsal.yaml"))
    rows = [row[:2] for row in json.loads(layout.rehearsal.read_text())["rows"]]
    assert {of.partition(" ")[0] for step, of in rows if step == "encode"} == set(values["datasets"])
    assert {of.partition(" ")[0] for step, of in rows if step == "sample"} == {"bridge"}

    # The one clip has its own scores, and no distance between sets.
    scores = json.loads(layout.scores("bridge", "base").read_text())
    names = {name.partition("_")[0] for name, score in scores["scores"].items() if score}
    assert "psnr" in names
    assert not names & {"fvd", "kvd"}


def test_a_full_disk_is_refused_before_the_first_step(file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    usage = namedtuple("Usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(0, 0, 10**6))
    with pytest.raises(FcaError, match="no room"):
        rehearse(load(file), 2, 2, ["fca"], [], None, kill=False, cores=1)
    assert not Path("data/pocket-rehearsal").exists()


def test_stand_ins_are_not_asked_for_what_the_datasets_cannot_have(tmp_path, monkeypatch):
    """The library's clips have opposite captions; the paper's datasets haven't, so nothing is predicted from any."""
    monkeypatch.chdir(tmp_path)
    asked = []
    monkeypatch.setattr("fca.rehearsal.rehearse._require_room", lambda small, part: None)
    monkeypatch.setattr("fca.rehearsal.rehearse.run_rehearsal", lambda small, part, *others: asked.append(part))
    monkeypatch.setattr("fca.rehearsal.rehearse.plans", lambda *configs: [Plan("", "", [], [])] * 3)
    monkeypatch.setattr("fca.rehearsal.rehearse.report", lambda config: None)
    rehearse(load(CONFIG.with_name("paper.yaml")), 1, 2, ["fca"], [], None, kill=False, cores=1)
    [part] = asked
    assert {settings.source for settings in part.datasets.values()} == {"library"}
    for dataset in part.datasets:
        assert tuple(Layout(part).sample_kinds(dataset, "fca")) == ("validation",)


def test_what_an_interrupted_rehearsal_wrote_needs_no_room(file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    small = rehearsal(load(file), variants=["fca"])
    needed = []
    monkeypatch.setattr("fca.rehearsal.rehearse.require_space", lambda path, size: needed.append(size))
    _require_room(small, small)
    written = Layout(small).run("ssv2", "fca") / "checkpoint-0000001.pt"
    written.parent.mkdir(parents=True)
    written.write_bytes(bytes(1000))
    _require_room(small, small)
    assert needed == [needed[0], needed[0] - 1000]

    # An unpacked archive is none of what will be written, so it makes no room for that.
    archive = Layout(small).raw("ssv2") / "clip.webm"
    archive.parent.mkdir(parents=True)
    archive.write_bytes(bytes(5000))
    _require_room(small, small)
    assert needed[2] == needed[1]
    assert needed[0] > 12 * 1000, "at least a checkpoint's"

    # What ended needs no checkpoint any more.
    row = next(row for row in plan(small).rows if row.step == "train")
    manifest = Layout(small).model_manifest("ssv2", "fca")
    Manifest("model", 1, [], "1" * 64, {}, {}, []).write(manifest)
    _require_room(small, small)
    assert needed[3] == needed[2] - row.disk["checkpoints"] - manifest.stat().st_size
    assert row.disk["checkpoints"] == 3 * row.disk["models"], "one, as the last isn't written"
    _require_room(small, small, 12345)
    assert needed[4] == needed[3] + 12345


def test_a_lock_that_was_left_is_named_with_its_remedy(file, tmp_path):
    """As Snakemake leaves it if it is killed."""
    command = ("fca.cli", "rehearse", "-c", file, "--variants", "base", "--cores", 2)
    locks = tmp_path / ".snakemake/locks"
    locks.mkdir(parents=True)
    everything = "".join(f"{tmp_path}/{name}\n" for name in ("reports/rehearsal/index.html", "anything"))
    (locks / "0.output.lock").write_text(everything)
    done = run(*command, cwd=tmp_path)
    assert done.returncode == 1
    last = done.stderr[done.stderr.rindex("fca rehearse: ") :]
    assert "or was killed here and left its lock" in last
    remedy = re.search(r"`(snakemake --unlock --configfile \S+)`", last)
    assert remedy, last
    assert run(*remedy[1].split(), "-s", REPOSITORY / "Snakefile", cwd=tmp_path).returncode == 0
    assert list(locks.glob("*")) == []


def test_a_signal_ends_snakemake_in_order(file, tmp_path):
    command = [sys.executable, "-m", "fca.cli", "rehearse", "-c", str(file), "--variants", "base", "--cores", "2"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    assert any("Error" not in line and "rule encode_latents" in line for line in process.stderr)
    process.send_signal(signal.SIGTERM)
    process.stderr.read()
    assert process.wait(120) == 1
    assert not list((tmp_path / ".snakemake/locks").glob("*")), "it can run again"


def test_snakemake_rehearses_through_its_own_options(file, tmp_path):
    command = ("snakemake", "rehearse", "-s", REPOSITORY / "Snakefile", "--configfile", file, "--cores", 2)
    done = run(*command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "runs/pocket-rehearsal/rehearsal.json").is_file()
    assert (tmp_path / "data/pocket/logs/rehearse/pocket.log").read_text().count("verdict") == 1
