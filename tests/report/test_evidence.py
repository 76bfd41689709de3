"""The page about records: answers that follow from them, what isn't run, pictures that parse, the committed page."""

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fca.artifacts.evidence import Evidence
from fca.config import Config, Layout, load
from fca.config.questions import QUESTIONS
from fca.report.evidence import evidence
from fca.report.evidence.answers import compared, rows_of, score_name
from fca.report.evidence.power import pooled_variance, told_if_pooled
from fca.report.evidence.words import chance, confident, size, with_sign
from fca.report.format import percent
from fca.report.metrics import FVD, PSNR, TASK
from fca.score.interval import resampling_counts
from tests.browser import OpenPage
from tests.workflow.project import ROOT

CLIPS = 54
COUNTS = resampling_counts(CLIPS, 200, 42)
SCALE, FVD_NAME = "pocket_evidence", "fvd_pocket_54x16f_gt2"
EFFECTS = {"fca_ablation": 100.0, "lora": 300.0, "no_ftc": 101.0, "no_mask": 60.0, "base": 320.0}
"""True FVD of some rows"""


def record(row: str, training: int, scale: str = SCALE, name: str = FVD_NAME, **changes: Any) -> Evidence:
    """A training with FVD and PSNR of its row's true value, an effect of the seed and one of each clip."""
    rng = np.random.default_rng([training, *row.encode()])
    clips = np.random.default_rng(5).normal(0, 60, CLIPS) + rng.normal(0, 5, CLIPS)
    values = EFFECTS.get(row, 150.0) + rng.normal(0, 4) + clips - clips.mean()
    found = {name: values, "psnr": values / 20}
    draws = {key: {"value": float(own.mean()), "clips": CLIPS, "resampled": (COUNTS @ own / CLIPS).tolist()}
             for key, own in found.items()}  # fmt: skip
    end = {key: own["value"] for key, own in draws.items()}
    trained = None if row in ("base", "repeat") else 1_233_222
    fields: dict[str, Any] = {
        "scale": scale, "dataset": "ssv2", "name": row if training == 1 else f"{row}@{training}", "title": row.upper(),
        "protocol_sha256": "p", "clips": CLIPS, "trained": trained, "steps": 3000 if trained else 0,
        "seconds": 1200.0 if trained else None, "device": "CPU, 2 threads" if trained else "", "git_commit": "c" * 40,
        "settings": {}, "weights": {}, "code": {"train": "x"}, "draws": draws,
        "lengths": {"3000": end, "500": {key: 2 * value for key, value in end.items()}} if trained else {"0": end},
    }  # fmt: skip
    return Evidence(**fields | changes)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return load(ROOT / "config/pocket-evidence.yaml", {"evidence": {"folder": str(tmp_path / "docs/evidence")}})


def write(config: Config, *records: Evidence) -> str:
    for one in records:
        one.write(Path(config.evidence.folder) / one.scale / one.dataset / f"{one.name}.json")
    return evidence(config).read_text()


def some_rows(trainings: int) -> list[Evidence]:
    untrained = [record("base", 1)]
    rows = ("fca_ablation", "lora", "no_ftc", "no_mask")
    return untrained + [record(row, number) for row in rows for number in range(1, trainings + 1)]


def section(page: str, question: str) -> str:
    return page.partition(f"### {question}")[2].partition("\n#")[0]


def test_answers_follow_from_the_records(config: Config) -> None:
    page = write(config, *some_rows(4))
    lora = section(page, "Is LoRA behind FCA?")
    assert "**The claim holds here.** FCA_ABLATION is better than LORA by" in " ".join(lora.split())
    assert "below 0.001" in lora
    assert "**The opposite holds here.** NO_MASK is better than FCA_ABLATION" in section(page, "Does the mask help?")
    assert "By other scores: LORA is better than FCA_ABLATION by 10" in " ".join(lora.split()), "as its PSNR is higher"
    assert "**In part.**" in section(page, "Does FCA learn anything?"), "nothing is known of one of the two pairs"
    assert "Not answered: `uniform`, `uniform_refined` not run." in section(page, "Does frame-wise text from one")
    assert "**Not run yet**: `repeat`, `uniform`" in page
    assert "| `lora` | 1,233,222 | 4 | 3,000 |" in page
    assert "All trainings together took 5.3 hours on CPU, 2 threads;" in " ".join(page.split())
    assert "data/pocket_evidence/ssv2/evidence/lora.json --configfile config/pocket-evidence.yaml" in page
    assert "FVD of a row changed by −50 %" in " ".join(page.split())
    assert evidence(config).read_text() == page, "the same records make the same page"


def test_every_row_has_its_commit(config: Config) -> None:
    rows = (*some_rows(1), record("uniform", 1, git_commit="d" * 40))
    made = " ".join(write(config, *rows).split())
    assert "Rows were made by dddddddddddd (`uniform`); cccccccccccc (the other trained rows), with 1 state" in made


def test_what_cannot_be_told_is_not_told(config: Config) -> None:
    EFFECTS["no_pre_norm"] = EFFECTS["fca_ablation"]
    page = write(config, *some_rows(3), *(record("no_pre_norm", number) for number in (1, 2, 3)))
    found = " ".join(section(page, "Does the pre-norm help?").split())
    assert "**No difference can be told.** FCA_ABLATION and NO_PRE_NORM can't be told apart." in found
    assert "| possible |" in page.partition("Does the pre-norm help?")[2].partition("\n")[0]


def test_a_claim_is_compared_with_the_paper_by_the_size_of_its_difference(config: Config) -> None:
    """The paper's LoRA is worse by 277 %, this one by 200 %; the paper's base isn't a claim."""
    page = write(config, *some_rows(12))
    [line] = [line for line in page.splitlines() if line.startswith("| Is LoRA behind FCA? |")]
    _, here, answer = (cell.strip() for cell in line.split("|")[-4:-1])
    assert line.split("|")[-4].strip() == "+277 %"
    value, low, high = (float(number.replace("−", "-")) for number in re.findall("[+−][0-9]+", here))
    assert low < value < high < 277
    assert value == pytest.approx(200, abs=15)
    assert answer == "**excluded**"
    short = " ".join(page.partition("**In short**")[2].partition("##")[0].split())
    assert short.startswith(
        ": of 3 claims, 0 can't be told from chance by FVD. Is LoRA behind FCA? The claim holds here."
    )
    questions = "Is LoRA behind FCA? Does a module in each layer help? Does the mask help?"
    assert short.endswith(f"A difference of the paper's size is excluded here for: {questions}")
    assert "Does FCA learn anything?" not in page.partition("## Answers")[0]


def test_some_rows_against_a_claim_are_not_all(config: Config) -> None:
    """One of the two pairs says the opposite, and the other isn't there."""
    EFFECTS["uniform"] = 20.0
    page = write(config, *some_rows(6), *(record("uniform", number) for number in range(1, 7)))
    found = section(page, "Does frame-wise text from one module")
    assert "**For some: The opposite holds here.** UNIFORM is better than NO_FTC by" in " ".join(found.split())


def test_what_one_spread_for_all_rows_would_tell_is_said_apart(config: Config) -> None:
    """A pair whose three trainings happen to disagree more than all others."""
    EFFECTS["no_pre_norm"] = 190.0
    rows = [record("no_pre_norm", number) for number in (1, 2, 3)]
    for one, shift in zip(rows, (-40.0, 0.0, 40.0), strict=True):
        name = score_name(one.draws, FVD)
        one.draws[name] = {**one.draws[name], "value": one.draws[name]["value"] + shift}
    records = rows_of([*some_rows(3), *rows], SCALE)
    pairs = compared(records, 0.95)
    [own] = [pair for pair in pairs if pair.b.key == "no_pre_norm" and pair.metric == FVD]
    assert not own.told
    assert own in told_if_pooled(pairs, list(records.values()), 0.95)
    page = " ".join(write(config, *some_rows(3), *rows).split())
    assert "**No difference can be told.** FCA_ABLATION and NO_PRE_NORM can't be told apart." in page
    of_claims = page.partition("Of the paper's claims: by FVD")[2].partition("Of the others:")[0]
    assert "`fca_ablation` before `no_pre_norm`" in of_claims


def test_the_pooled_variance_is_that_of_all_rows() -> None:
    rows = rows_of([*some_rows(3), record("guidance_1", 1, seconds=None), record("guidance_1", 2, seconds=None)], SCALE)
    ends = [row.end(FVD) for key, row in rows.items() if key in ("fca_ablation", "lora", "no_ftc", "no_mask")]
    assert pooled_variance(rows.values(), FVD) == (pytest.approx(np.mean([np.var(own, ddof=1) for own in ends])), 8)
    assert pooled_variance([rows["base"]], FVD) is None


def test_words_of_numbers() -> None:
    assert [chance(p) for p in (0.0002, 0.04998, 0.0497, 0.0502, 0.3)] == [
        "below 0.001", "0.04998", "0.0497", "0.0502", "0.300",
    ]  # fmt: skip
    assert [confident(share) for share in (0.998, 0.5, 0.001)] == ["> 99 %", percent(0.5), "< 1 %"]
    assert (size(TASK, 0.38), with_sign(TASK, -0.04), size(PSNR, 1.5)) == ("38 points", "−4", "1.50 dB")


def test_one_training_says_so(config: Config) -> None:
    page = " ".join(write(config, record("fca_ablation", 1), record("lora", 1)).split())
    assert "With one training of each, other seeds may change this." in page
    assert "needs at least one pair of rows with two trainings each" in page
    page = " ".join(write(config, record("lora", 2)).split())
    assert "**Fewer trainings** than the 2 of other rows: `fca_ablation` (1)." in page


def test_only_shared_trainings_and_equal_protocols_are_compared() -> None:
    records = [record("fca_ablation", number) for number in (1, 2, 3)] + [record("lora", number) for number in (1, 3)]
    pairs = compared(rows_of(records, SCALE), 0.95)
    assert {pair.trainings for pair in pairs} == {2}
    other = [record("lora", number, protocol_sha256="other") for number in (1, 3)]
    assert compared(rows_of([*records[:3], *other], SCALE), 0.95) == []


def test_rows_of_other_scales(config: Config) -> None:
    """One initial frame: only scores of the same name. 17 frames: side by side."""
    raw = "fvd_pocket_54x16f_raw"
    mine = [record("fca_ablation", number, name=raw) for number in (1, 2)]
    one = [record("fca_ablation", number, "pocket_one_frame", raw, protocol_sha256="other") for number in (1, 2)]
    longer = [record("fca_ablation", 1, "pocket_17", "fvd_pocket_54x17f_gt2", protocol_sha256="third")]
    page = write(config, *mine, *one, *longer)
    lines = [line for line in section(page, "One initial frame or two?").splitlines() if line.startswith("| FCA")]
    assert len(lines) == 1
    assert "FVD, raw" in lines[0]
    assert "| FCA_ABLATION | FCA_ABLATION (pocket_one_frame) |" in section(page, "One initial frame or two?")
    assert "| score | `pocket_17:fca_ablation` | `fca_ablation` |" in section(page, "16 frames or 17?")
    assert "fca_ablation.json --configfile config/pocket-17.yaml" in page


def test_families_are_corrected_apart() -> None:
    keys = {key for question in QUESTIONS for pair in question.pairs for key in pair if ":" not in key}
    pairs = compared(rows_of([record(key, number) for key in keys for number in (1, 2, 3)], SCALE), 0.95)
    of_fvd = [pair for pair in pairs if pair.metric == FVD]
    asked = [pair for question in QUESTIONS if question.paired for pair in question.pairs]
    assert len(of_fvd) == len([pair for pair in asked if not any(":" in key for key in pair)])
    for claimed in (True, False):
        family = [pair.found for pair in of_fvd if bool(pair.question.claim) == claimed]
        least = min(family, key=lambda found: found.p)
        assert least.p_corrected == pytest.approx(min(1.0, len(family) * least.p))


def test_pictures_are_svg_with_every_row(config: Config) -> None:
    page = write(config, *some_rows(3))
    folder = Path(config.evidence.folder)
    names = {path.name for path in folder.glob("*.svg")}
    assert {"differences.svg", "curves-table3.svg"} <= names
    assert all(f"](evidence/{name})" in page for name in names)
    for name in names:
        picture = ET.fromstring((folder / name).read_text())
        assert picture.tag == "{http://www.w3.org/2000/svg}svg"
    curves = (folder / "curves-table3.svg").read_text()
    assert curves.count('class="band') == 4
    assert "LORA" in curves
    assert (folder / "differences.svg").read_text().count('class="told"') >= 2


def test_no_words_of_a_picture_are_cut_off(config: Config, open_page: OpenPage) -> None:
    rows = ("fca_ablation", "no_mask", "no_ftc", "lora")
    write(config, *(record(row, 1, title=f"FCA, {row}, of a title as long as they get") for row in rows))
    for path in sorted(Path(config.evidence.folder).glob("*.svg")):
        outside = open_page(path).evaluate("""() => {
            const all = document.documentElement.viewBox.baseVal;
            return [...document.querySelectorAll("text")].filter((text) => {
                const box = text.getBBox();
                return box.x < 0 || box.x + box.width > all.width;
            }).map((text) => text.textContent);
        }""")
        assert outside == [], path.name


def test_titles_stay_text(config: Config) -> None:
    title = "<script>alert(1)</script> | x"
    page = write(config, record("fca_ablation", 1, title=title), record("lora", 1))
    assert "<script>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; \\| x | LORA |" in page
    assert all("<script>" not in path.read_text() for path in Path(config.evidence.folder).glob("*.svg"))


def test_copies_are_not_drawn_and_a_row_alone_neither(config: Config) -> None:
    write(config, record("fca_ablation", 1), record("repeat", 1), record("base", 1))
    assert list(Path(config.evidence.folder).glob("*.svg")) == []


def test_the_committed_page_is_made_of_the_committed_records(tmp_path: Path) -> None:
    config = load(ROOT / "config/pocket-evidence.yaml")
    page = Layout(config).evidence_page
    copied = tmp_path / "docs/evidence"
    for path in (ROOT / "docs/evidence").rglob("*.json"):
        target = copied / path.relative_to(ROOT / "docs/evidence")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    own = config.model_copy(update={"evidence": config.evidence.model_copy(update={"folder": str(copied)})})
    assert evidence(own).read_text() == (ROOT / page).read_text(), "run `fca report evidence`"
    for picture in copied.glob("*.svg"):
        assert picture.read_bytes() == (ROOT / "docs/evidence" / picture.name).read_bytes()


def test_what_the_page_says_of_the_position_reader_is_what_its_training_measured() -> None:
    found = json.loads((ROOT / "config/pocket-base/positions/training.json").read_text())["held_out_error"]
    ends = [kind["hand"]["effector"]["end"] for kind in found.values()]  # of sharp and of blurred clips
    said = re.search(r"itself off\s+by (\d) to (\d) cm", (ROOT / "docs/evidence.md").read_text())
    assert said is not None
    assert int(said[1]) <= min(ends) <= max(ends) <= int(said[2])
