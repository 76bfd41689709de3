"""`docs/evidence.md`: questions, answers, pictures, cost and commands, from the records alone."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from fca.artifacts.atomic import write_text
from fca.artifacts.evidence import read_all
from fca.config import Config, Layout
from fca.config.questions import FCA, QUESTIONS, Question
from fca.report.evidence.answers import Pair, Row, compared, rows_of, score_name
from fca.report.evidence.claims import claims_table, in_short
from fca.report.evidence.pictures import differences_picture, learning_curves
from fca.report.evidence.power import flatness, power_section
from fca.report.evidence.tables import scores_and_cost, side_by_side
from fca.report.evidence.words import chance, confident, filled, named, sentence, title, unit, with_sign, wrapped
from fca.report.format import percent
from fca.report.metrics import EFFECTOR, FVD

TITLE = "# Evidence: are the paper's claims true at the pocket scale?"
INTRODUCTION = """
Every row of the paper's Tables 3 and 4, and more, was trained several times on simulated clips, with networks of a few
million weights. `fca report evidence` makes this page from the records in `docs/evidence`; don't edit it.
"""
METHOD = """
Every row but `base`, `repeat`
(copy the last frame) and `guidance_*` is a variant, trained from scratch on the simulated clips of ssv2's format ([the
clip library](../config/pocket-clips/README.md)) on the frozen pocket base, several times. FTC is frame-wise text
conditioning, the paper's embeddings of the caption for each frame; the rows' names are those of its Tables 3 and 4.
Training k of every row sees the same clips in the same order, and all rows predict the same clips from the same noise,
so rows are compared in pairs, clip by clip and training by training ([how](scores.md#differences-between-variants)).
The learning rate is constant after its warm-up and no average of weights is kept, so a model on the way is that of a
shorter training, bit for bit.
"""
LIMITS = """
**What it can't say.** Nothing here is about CogVideoX-2B or real videos: the base has a few million weights, the clips
96x64 pixels, and FVD the pocket scale's own feature network, so no number can be compared with the paper's; only the
direction of a difference, and its size as a share, can. Every answer is one of this learning rate, this number of steps
and these clips: a claim that isn't seen here may hold where training is longer or the scenes are richer.
"""
CLAIMS = """
How much worse the second row's FVD is, as a share of the first row's: in the paper, and here with the interval at the
level corrected for all pairs of the claims (Bonferroni), so that all intervals hold together. A difference of the
paper's size is possible if that interval holds it.
"""


CLAIM = "The claim holds here.", "The opposite holds here.", "The claim holds here in part."


def evidence(config: Config) -> Path:
    """Write the page and its pictures, and return the page. The same records give the same bytes.

    Raises:
        FcaError: a record is damaged.
    """
    page, folder = Layout(config).evidence_page, Path(config.evidence.folder)
    rows = rows_of(read_all(folder), config.evidence.experiment)
    confidence = config.score.confidence
    pairs = compared(rows, confidence)
    claims = claims_table(pairs, _verdict)
    curves = learning_curves(rows, folder)
    picture = differences_picture(pairs, folder)

    sections = [
        TITLE,
        filled(INTRODUCTION),
        *(
            [filled(in_short(pairs, _verdict)), "## The paper's claims", filled(CLAIMS), "\n".join(claims)]
            if claims
            else []
        ),
        "## How it was asked",
        filled(METHOD),
        *_setup(rows),
        filled(LIMITS),
        *_missing(rows),
        "## Answers",
        _how(pairs, confidence),
        *([_image("Differences in FVD between pairs of rows", picture, page)] if picture else []),
        *(_question(question, pairs, rows) for question in QUESTIONS),
        "## Learning curves",
        filled(flatness(rows)),
        *(
            [filled("The line is the mean of all trainings; the band goes from the lowest to the highest.")]
            if curves
            else []
        ),
        *(_image(f"FVD by optimizer steps: {title}", file, page) for title, file in curves),
        "## What could have been seen",
        wrapped(power_section(pairs, rows, confidence)),
        "## Scores and cost",
        scores_and_cost(rows) if rows else "Nothing is recorded yet.",
        "## Run it again",
        _commands(config, rows),
    ]
    return write_text(page, _plain_spaces("\n\n".join(section for section in sections if section)) + "\n")


def _plain_spaces(text: str) -> str:
    """The page without spaces that Markdown's readers don't see."""
    return text.replace("\N{NARROW NO-BREAK SPACE}", " ")


def _missing(rows: Mapping[str, Row]) -> list[str]:
    """Which rows of the questions aren't recorded, and which have fewer trainings than others."""
    keys = dict.fromkeys(key for question in QUESTIONS for pair in question.pairs for key in pair)
    absent = [f"`{key}`" for key in keys if key not in rows]
    most = max((len(row.records) for row in rows.values()), default=0)
    fewer = [f"`{key}` ({len(row.records)})" for key, row in rows.items() if row.trains and len(row.records) < most]
    found = []
    if absent:
        found.append(f"**Not run yet**: {', '.join(absent)}.")
    if fewer:
        found.append(f"**Fewer trainings** than the {most} of other rows: {', '.join(fewer)}.")
    return [filled(text) for text in found]


def _setup(rows: Mapping[str, Row]) -> list[str]:
    """The settings that all rows share, from their records."""
    trained = [row.first for row in rows.values() if row.own_training]
    if not trained:
        return []
    record = next((row.first for key, row in rows.items() if key == FCA), trained[0])
    settings, name = record.settings, score_name(record.draws, EFFECTOR)
    rate = settings.get(f"training.{record.dataset}.{record.name}.learning_rate")
    facts = [
        f"{settings.get(f'datasets.{record.dataset}.train.clips')} clips to train on, {record.clips} to predict",
        f"{record.steps:,} steps of {settings.get('train.clips_per_step')} clips at a learning rate of {rate}",
        f"{settings.get('sample.steps')} sampling steps, guidance {settings.get('sample.guidance_scale')}",
    ]
    if name is not None:
        facts.append(
            f"the hand's position in the {record.draws[name]['clips']} clips that show it at the end, read by a"
            " network that is [itself off by 2 to 3 cm](scores.md#position-error-clip-library), which all rows share"
        )
    return [filled(f"**Every row**: {'; '.join(facts)}.")]


def _how(pairs: Sequence[Pair], confidence: float) -> str:
    claimed = len({(pair.a.key, pair.b.key) for pair in pairs if pair.question.claim})
    rest = len({(pair.a.key, pair.b.key) for pair in pairs if not pair.question.claim})
    text = (
        "FVD decides an answer; PSNR, the task found and the hand's position are listed with it. A difference is told"
        f" from chance if p, corrected for the number of pairs (Holm), is below {1 - confidence:.2g}. Within each"
        f" score, the {claimed} pairs of the paper's claims are corrected together, and so are the {rest} others."
        f" Intervals are {percent(confidence)}, not corrected; they hold for the choice of clips and of trainings. The"
        " last column is the confidence, one-sided and not corrected, that the first row is better."
    )
    if shifts := _bootstrap_shifts(pairs):
        text += (
            f" FVD of so few clips is too high: resampling the clips raises it by another {min(shifts):.0f} to"
            f" {max(shifts):.0f}, depending on the row, so the last few FVD of a difference may be that."
        )
    return filled(text)


def _bootstrap_shifts(pairs: Sequence[Pair]) -> list[float]:
    """How far the mean FVD of resampled clips is above the value, of each row: a hint at its bias."""
    drawn = [one for pair in pairs if pair.metric == FVD for own in pair.drawn for one in own]
    return [float(one.resampled.mean()) - one.value for one in drawn]


def _question(question: Question, pairs: Sequence[Pair], rows: Mapping[str, Row]) -> str:
    own = [pair for pair in pairs if pair.question.name == question.name]
    wanted = [key for pair in question.pairs for key in pair]
    lines = [f"### {question.question}", ""]
    if question.claim:
        lines += [filled(f"The paper: {question.claim}"), ""]
    if question.note:
        lines += [filled(question.note), ""]
    if not question.paired and all(key in rows for key in wanted):
        return "\n".join([*lines, side_by_side([rows[key] for key in dict.fromkeys(wanted)])])
    if not own:
        missing = ", ".join(f"`{key}`" for key in dict.fromkeys(wanted) if key not in rows)
        return "\n".join([*lines, f"Not answered: {f'{missing} not run' if missing else 'no score in common'}."])

    answer = " ".join(sentence(pair) for pair in _deciding(own))
    others = [pair for pair in own if pair.told and pair.metric.stem != FVD.stem]
    lines += [filled(f"**{_verdict(question, own)}** {answer}"), ""]
    lines += [filled(f"By other scores: {' '.join(sentence(pair) for pair in others)}"), ""] if others else []
    lines += [
        "| first | second | score | first minus second | p, corrected | first is better |",
        "|---|---|---|---|---|---|",
    ]
    lines += [_pair_line(pair) for pair in own]
    return "\n".join(lines)


def _deciding(pairs: Sequence[Pair]) -> list[Pair]:
    """The comparisons by FVD, with or without the ground truth's initial frames."""
    return [pair for pair in pairs if pair.metric.stem == FVD.stem]


def _verdict(question: Question, pairs: Sequence[Pair]) -> str:
    deciding = _deciding(pairs)
    told = [pair for pair in deciding if pair.told]
    if not told:
        return "No difference can be told."
    every, never, some = question.words or (CLAIM if question.claim else ["There is a difference."] * 3)
    complete = len(told) == len(question.pairs)
    if all(pair.a_is_better for pair in told):
        return every if complete else some
    return never if complete and not any(pair.a_is_better for pair in told) else f"For some: {never}"


def _pair_line(pair: Pair) -> str:
    found, ends = pair.found, (pair.found.value, pair.found.low, pair.found.high)
    value, low, high = (with_sign(pair.metric, end) for end in ends)
    return (
        f"| {title(pair.a)} | {title(pair.b)} | {named(pair.metric, unit(pair.metric))} | {value} ({low} to {high}) |"
        f" {chance(found.p_corrected)} | {confident(found.a_is_better)} |"
    )


def _commands(config: Config, rows: Mapping[str, Row]) -> str:
    """The command for everything, and the one for each row."""
    keys = (key for question in QUESTIONS for pair in question.pairs for key in pair)
    scales = [config.evidence.experiment, *dict.fromkeys(key.partition(":")[0] for key in keys if ":" in key)]
    text = [
        "Everything that isn't recorded yet, and this page (it can be stopped and goes on):",
        "",
        "```",
        *(f"snakemake --cores 2 evidence --configfile {_file(scale)}" for scale in scales),
        "```",
        "",
        "One row, whether or not it is recorded; `@2` and `@3` are its other trainings:",
        "",
        "```",
    ]
    for row in rows.values():
        record = row.first
        target = f"{config.data_dir}/{record.scale}/{record.dataset}/evidence/{record.name}.json"
        text.append(f"snakemake --cores 2 {target} --configfile {_file(record.scale)}")
    if not rows:
        text.append("snakemake --cores 2 data/pocket_evidence/ssv2/evidence/fca_ablation.json"
                    f" --configfile {_file(config.evidence.experiment)}")  # fmt: skip
    return "\n".join([*text, "```"])


def _file(scale: str) -> str:
    """The shipped configuration of a scale."""
    return f"config/{scale.replace('_', '-')}.yaml"


def _image(description: str, file: Path, page: Path) -> str:
    return f"![{description}]({file.relative_to(page.parent).as_posix()})"
