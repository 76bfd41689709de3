"""The workflow on a real Slurm of one node (make test-slurm), and what happens to its jobs on a cluster.

Faults are met by Slurm, Snakemake, the rules and the profile as they are; the steps are stand-ins that can be slow or
greedy (slurm_steps.py). The last test runs the real steps: the whole pocket scale.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.workflow.project import ROOT, Project

pytestmark = pytest.mark.slurm
SCRIPT = ROOT / "scripts/one-node-slurm.sh"
SHARDS = [f"data/pocket/ssv2/latents/text/train-000{k}.json" for k in range(4)]
MODEL = "data/pocket/ssv2/models/fca.json"


def call(*command: str | Path) -> str:
    run = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


@pytest.fixture(scope="module", autouse=True)
def slurm() -> Iterator[None]:
    if shutil.which("slurmctld", path=f"{os.environ['PATH']}:/usr/sbin") is None:
        pytest.skip("Slurm isn't installed")
    call(SCRIPT, "start")
    yield
    call(SCRIPT, "stop")


class Run:
    """`snakemake --profile slurm` at work in a project."""

    def __init__(self, folder: Path, *targets: str) -> None:
        self.folder, self.output = folder, folder / "snakemake.log"
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        environment = os.environ | {"PYTHONPATH": str(folder / "src"), "PATH": path}
        command = ["snakemake", "--profile", "slurm", "--slurm-init-seconds-before-status-checks", "2", *targets]
        with self.output.open("w") as output:
            self.process = subprocess.Popen(
                command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT
            )

    def lines(self) -> list[str]:
        log = self.folder / "executions.log"
        return log.read_text().splitlines() if log.exists() else []

    def until(self, condition: Callable[[list[str]], bool], seconds: int = 240) -> str:
        """Wait for what the steps have recorded; the last line's Slurm job."""
        end = time.monotonic() + seconds
        while not condition(lines := self.lines()):
            assert self.process.poll() is None, self.output.read_text()[-4000:]
            assert time.monotonic() < end, lines
            time.sleep(0.1)
        return lines[-1].split()[-1]

    def finished(self, seconds: int = 400) -> str:
        """Wait for the end, which must be a good one; what Snakemake said."""
        assert self.process.wait(timeout=seconds) == 0, self.output.read_text()[-8000:]
        return self.output.read_text()

    def counts(self, what: str) -> Counter[str]:
        return Counter(line.split()[1] for line in self.lines() if line.split()[0] == what)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> Project:
    """ssv2 alone, all but the models and what follows made on this machine by stand-ins for the steps."""
    project = Project.new(tmp_path_factory.mktemp("prepared") / "project")
    project.keep_dataset("ssv2")
    project.replace("config/pocket.yaml", "shard_clips: 48", "shard_clips: 24")
    shutil.copy(ROOT / "tests/workflow/slurm_steps.py", project.folder / "src/fca/cli/main.py")
    (project.folder / "pause").mkdir()
    (project.folder / "hog").mkdir()
    run = project.snakemake("--cores", "2", "prepare_ssv2")
    assert run.returncode == 0, run.stdout + run.stderr
    (project.folder / "executions.log").unlink()
    return project


@pytest.fixture
def project(prepared, tmp_path) -> Iterator[Project]:
    """A copy of it, for jobs that are slow or greedy."""
    node = call("sinfo", "--noheader", "--format=%n").split()[0]
    # Slurm drains a node that meets a requeued job twice, as a busy one may once it was lost; else this is refused.
    subprocess.run(["scontrol", "update", f"nodename={node}", "state=resume"], capture_output=True, check=False)
    yield prepared.copy(tmp_path / "project")
    subprocess.run(["scancel", "--user=root"], check=False)


def without_shards(project: Project) -> None:
    for shard in SHARDS:
        (project.folder / shard).unlink()
        (project.folder / shard).with_suffix(".h5").unlink()


def ask(project: Project, rule: str, old: str, new: str) -> None:
    """Change what the profile asks for a rule."""
    path = project.folder / "profiles/slurm/config.yaml"
    head, resources = path.read_text().split("\nset-resources:\n")
    before, after = resources.split(f"  {rule}:\n")
    assert old in after.split("\n  #")[0].split(":\n")[0]
    path.write_text(f"{head}\nset-resources:\n{before}  {rule}:\n{after.replace(old, new, 1)}")


def at_work(project: Project, command: bytes = b"") -> list[int]:
    """Processes of Slurm's jobs in the project's folder, those with `command` in their command line."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            here = process.joinpath("cwd").resolve() == project.folder.resolve()
            ours = os.getsid(int(process.name)) == os.getsid(0)
            if here and not ours and command in process.joinpath("cmdline").read_bytes():
                found.append(int(process.name))
        except OSError:
            continue
    return found


def daemon(name: str) -> int:
    """The process of a daemon that the script started."""
    folder = Path(os.environ.get("FCA_SLURM_DIR", "/var/tmp/fca-slurm"))
    return int((folder / f"{name}.pid").read_text())


def step_daemons() -> list[int]:
    """Slurm's own processes of the node's job steps, which outlive its daemon."""
    running = {line.split()[0] for line in call("scontrol", "listpids").splitlines()[1:]}
    parents = set()
    for process in running:
        fields = dict(line.split(":\t", 1) for line in Path(f"/proc/{process}/status").read_text().splitlines())
        parents.add(int(fields["PPid"]))
    return [process for process in parents if Path(f"/proc/{process}/comm").read_text() == "slurmstepd\n"]


def kill(*processes: int) -> None:
    for process in processes:
        with suppress(ProcessLookupError):  # it went with another
            os.kill(process, signal.SIGKILL)


@pytest.mark.parametrize("way", ["scancel", "SIGKILL"])
def test_a_killed_job_of_several_shards_is_tried_again_and_keeps_the_finished_ones(project, way) -> None:
    without_shards(project)
    (project.folder / "pause/encode").write_text("5")
    run = Run(project.folder, *SHARDS)
    job = run.until(lambda lines: sum(line.startswith("end encode") for line in lines) == 2)
    run.until(lambda lines: lines[-1].startswith("start encode"))
    if way == "scancel":
        call("scancel", job)
    else:
        kill(*at_work(project, b"/fca\0"))
    said = run.finished()
    assert set(run.counts("end").values()) == {1}  # no shard was made twice
    assert sum(run.counts("start").values()) == sum(run.counts("end").values()) + 1
    assert len({line.split()[2] for line in run.lines() if "encode" in line}) == 2  # two Slurm jobs for four shards
    assert "the log of encode-ssv2-train" in said  # the failed job's own log
    assert all((project.folder / shard).is_file() for shard in SHARDS)
    assert sum(run.counts("reused").values()) == 2  # what was finished before the kill
    assert project.jobs(*SHARDS) == {}


def test_training_that_is_told_to_stop_goes_on_in_the_same_job(project) -> None:
    (project.folder / "pause/train").write_text("15")
    run = Run(project.folder, MODEL)
    job = run.until(lambda lines: lines and lines[-1].startswith("from-0 train"))
    time.sleep(3)
    call("scancel", "--signal=TERM", job)
    said = run.finished()
    assert run.counts("start")["train-ssv2-fca"] == 2
    (stopped,) = (line.split()[0] for line in run.lines() if line.startswith("stopped-"))
    went_on = [line for line in run.lines() if line.startswith("from-")]
    assert went_on[1] == f"from-{stopped.removeprefix('stopped-')} train-ssv2-fca {job}"
    assert "Error" not in said  # Snakemake saw one job that took longer


def test_training_longer_than_its_time_goes_on(project) -> None:
    (project.folder / "pause/train").write_text("110")
    ask(project, "train_adapter", "runtime: 24h", "runtime: 2m")
    ask(project, "train_adapter", "--signal=TERM@300", "--signal=TERM@30")
    run = Run(project.folder, MODEL)
    said = run.finished()
    assert run.counts("start")["train-ssv2-fca"] >= 2
    assert run.counts("end")["train-ssv2-fca"] == 1
    steps = [int(line.split()[0].partition("-")[2]) for line in run.lines() if line.startswith(("stopped-", "from-"))]
    assert steps[1:-1:2] == steps[2::2]  # it goes on where it stopped
    assert "Error" not in said


def test_a_job_over_its_memory_is_ended_and_gets_twice_as_much(project) -> None:
    without_shards(project)
    (project.folder / "hog/encode").write_text("1200")
    ask(project, "encode_latents", "mem_mb: 64000 * attempt", "mem_mb: 800 * attempt")
    run = Run(project.folder, *SHARDS[:2])
    said = run.finished()
    assert not run.counts("not-killed")
    assert set(run.counts("end").values()) == {1}
    assert "memory" in said.lower()
    jobs = [line.split()[2] for line in run.lines() if "encode" in line]
    asked = call("squeue", "--noheader", "--states=all", f"--jobs={jobs[0]},{jobs[-1]}", "--format=%i %m")
    assert sorted(asked.split()) == sorted([jobs[0], "800M", jobs[-1], "1600M"])


def test_a_job_over_its_time_is_tried_again(project) -> None:
    without_shards(project)
    (project.folder / "pause/encode").write_text("150")
    ask(project, "encode_latents", "runtime: 1h", "runtime: 1m")
    run = Run(project.folder, SHARDS[0])
    run.until(lambda lines: lines and lines[-1].startswith("start encode"))
    time.sleep(10)  # by now it knows how long it takes
    (project.folder / "pause/encode").unlink()
    said = run.finished()
    assert "DUE TO TIME LIMIT" in said  # Slurm's own words, from the job's log
    assert run.counts("start")["encode-ssv2-train-0000-text"] == 2
    assert run.counts("end")["encode-ssv2-train-0000-text"] == 1


def test_a_lost_node(project) -> None:
    """Its daemon and everything that it ran are gone at once; later it comes back."""
    (project.folder / "pause/train").write_text("20")
    run = Run(project.folder, MODEL)
    run.until(lambda lines: lines and lines[-1].startswith("from-0 train"))
    time.sleep(4)
    node = call("sinfo", "--noheader", "--format=%n").split()[0]
    kill(daemon("slurmd"), *step_daemons(), *at_work(project))
    call("scontrol", "update", f"nodename={node}", "state=down", "reason=test")
    call("scontrol", "update", f"nodename={node}", "state=resume")
    call(SCRIPT, "start")
    said = run.finished()
    begun = [int(line.split()[0].removeprefix("from-")) for line in run.lines() if line.startswith("from-")]
    assert len(begun) == 2
    assert begun[1] >= 20  # from its last checkpoint, not from the start
    assert "Error" not in said  # Slurm put it back into its queue, Snakemake waited


def test_a_restarted_controller(project) -> None:
    (project.folder / "pause/train").write_text("40")
    run = Run(project.folder, MODEL)
    run.until(lambda lines: lines and lines[-1].startswith("from-0 train"))
    time.sleep(12)  # it saves its state seconds after a job has begun; killed before, it begins the job a second time
    kill(daemon("slurmctld"))
    time.sleep(8)  # Snakemake asks in vain
    call(SCRIPT, "start")
    run.finished()
    assert set(run.counts("start").values()) == {1}
    assert set(run.counts("end").values()) == {1}


def test_the_whole_pocket_workflow(tmp_path) -> None:
    """`snakemake --profile slurm all`, literally, in a fresh clone, with the real steps."""
    folder = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", ROOT, folder], check=True)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = os.environ | {"PYTHONPATH": str(folder / "src"), "PATH": path}
    command = ["snakemake", "--profile", "slurm", "all"]
    run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-8000:]
    assert (folder / "reports/index.html").stat().st_size > 10_000
    run = subprocess.run([*command, "-n"], cwd=folder, env=environment, capture_output=True, text=True, check=True)
    assert "Nothing to be done" in run.stdout + run.stderr
