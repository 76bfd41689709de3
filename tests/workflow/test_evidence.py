"""`snakemake evidence`: a record for each training, and nothing for what is recorded."""

import json
import os
import subprocess
import sys

from fca.config import load
from tests.workflow.project import ROOT

FILE = "config/pocket-evidence.yaml"
TWO = ("--config", "ablations=[fca_ablation, guidance_4]", "train={'replicates': 2}")
RECORD = """
from fca.artifacts.evidence import Evidence, made_of
from fca.config import Layout, load

config = load("config/pocket-evidence.yaml", {"ablations": "[fca_ablation, guidance_4]", "train": {"replicates": 2}})
for name in config.every_replicate:
    lengths = {str(steps): {} for steps in config.train.lengths}
    made = made_of(config, "ssv2", name)
    record = Evidence(config.scale, "ssv2", name, "t", "p", 54, 1, 1, 1.0, "", None, *made, lengths)
    record.write(Layout(config).evidence("ssv2", name))
"""


def test_it_asks_for_every_training_of_every_row_once(fresh) -> None:
    config = load(ROOT / FILE)
    trained = [name for name, variant in config.every_variant.items() if variant.trains]
    borrowed = [name for name, variant in config.every_variant.items() if variant.weights_of]
    jobs = fresh.jobs("evidence", "--configfile", FILE)
    lengths = len(config.train.lengths)
    assert jobs["train_adapter"] == 3 * len(trained)
    assert jobs["record_evidence"] == 3 * (len(trained) + len(borrowed)) + 2
    assert jobs["score_variant"] == jobs["record_evidence"] + 3 * lengths * len(trained)
    ssv2 = config.datasets["ssv2"]
    assert jobs["encode_latents"] == ssv2.train.shards + ssv2.validation.shards, "all rows share the latents"
    assert jobs["evidence"] == 1


def test_a_subset_is_chosen_on_the_command_line(fresh) -> None:
    jobs = fresh.jobs("evidence", "--configfile", FILE, *TWO)
    assert jobs["train_adapter"] == 2
    assert jobs["record_evidence"] == 2 + 2 + 2


def test_what_is_recorded_is_not_computed(fresh, tmp_path) -> None:
    project = fresh.copy(tmp_path / "project")
    code = [sys.executable, "-c", RECORD]
    subprocess.run(code, cwd=project.folder, env=os.environ | {"PYTHONPATH": str(project.folder / "src")}, check=True)
    assert project.jobs("evidence", "--configfile", FILE, *TWO) == {"evidence": 1}

    path = project.folder / "docs/evidence/pocket_evidence/ssv2/fca_ablation@2.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"weights": {"other": "network"}}))
    jobs = project.jobs("evidence", "--configfile", FILE, *TWO)
    assert (jobs["train_adapter"], jobs["record_evidence"]) == (1, 1)
    path.write_text("{")
    run = project.snakemake("-n", "evidence", "--configfile", FILE, *TWO)
    assert "fca_ablation@2.json is no record of a training" in run.stdout + run.stderr
