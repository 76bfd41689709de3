"""`snakemake --report report.zip`: the pages with what they show, the scores, the rules."""

import json
import zipfile
from pathlib import PurePath

from tests.workflow.project import Project


def record_of(project: Project, *targets: str) -> dict[str, str]:
    """What the zip holds after these targets were made, by path without the folders that Snakemake names by hashes."""
    run = project.snakemake("--cores", "2", "--", *targets)
    assert run.returncode == 0, run.stdout + run.stderr
    run = project.snakemake("--report", "report.zip", "--", *targets)
    assert run.returncode == 0, run.stdout + run.stderr
    with zipfile.ZipFile(project.folder / "report.zip") as archive:
        return {
            str(PurePath(*PurePath(name).parts[4:])) if "/data/raw/" in name else name: archive.read(name).decode()
            for name in archive.namelist()
        }


def test_the_zip_has_the_report_the_scores_and_the_figures(project: Project) -> None:
    found = record_of(project, "all")
    reports = {path for path in (project.folder / "reports").rglob("*") if path.is_file()}
    assert {"index.html", "assets/style.css", "metrics.json", "plots/ssv2-psnr.csv"} <= set(found)
    assert {str(path.relative_to(project.folder / "reports")) for path in reports} <= set(found)
    scores = project.folder / "data/pocket/ssv2/scores"
    for name in ("fca.json", "base.json", "repeat.json", "vae_roundtrip.json"):
        assert json.loads(found[name]) == json.loads((scores / name).read_text())
    page = found["report/report.html"]
    assert "frame-wise conditioning adaptation" in page
    assert "train_adapter" in page  # the rules behind each result
    run = project.snakemake("--cores", "2")
    assert "Nothing to be done" in run.stdout + run.stderr  # the folder, now known, is no reason to run


def test_a_table_is_recorded_with_its_pictures(project: Project) -> None:
    found = record_of(project, "table1")
    assert {"index.html", "assets/clip.webp", "fca.json"} <= set(found)
    assert "table1.html" in found["report/report.html"]
