"""`docs/evidence.md`: questions, answers, pictures, cost and commands, from the records alone."""

import html
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev

from fca.artifacts.atomic import write_text
from fca.artifacts.evidence import read_all
from fca.config import Config, Layout
from fca.config.questions import QUESTIONS, Question
from fca.report.evidence.answers import SHOWN, Pair, Row, compared, rows_of
from fca.report.evidence.pictures import differences_picture, learning_curves
from fca.report.evidence.power import flatness, power_section
from fca.report.format import percent, signed, significant
from fca.report.metrics import FVD, METRICS, Metric

TITLE = "# Evidence: are the paper's claims true at the pocket scale?"
INTRODUCTION = """
`fca report evidence` makes this page from the records in `docs/evidence`; don't edit it. Every row but `base` and
`repeat` (copy the last frame) is a variant, trained from scratch on the simulated clips of ssv2's format ([the clip
library](../config/pocket-clips/README.md)) on the frozen pocket base, several times. FTC is frame-wise text
conditioning, the paper's embeddings of the caption for each frame; the rows' names are those of its Tables 3 and 4.
Training k of every row sees the same clips in the same order, and all rows predict the same clips from the same noise,
so rows are compared in pairs, clip by clip and training by training ([how](scores.md#differences-between-variants)).
The learning rate is constant after its warm-up and no average of weights is kept, so a model on the way is that of a
shorter training, bit for bit. The page says nothing about CogVideoX-2B or real videos: the base has a few million
weights, the clips 96x64 pixels, and FVD the pocket scale's own feature network, so no number here can be compared with
the paper's.
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
    curves = learning_curves(rows, folder)
    picture = differences_picture(pairs, folder)

    sections = [
        TITLE,
        _filled(" ".join(INTRODUCTION.split())),
        *_missing(rows),
        "## Answers",
        _how(pairs, confidence),
        *([_image("Differences in FVD between pairs of rows", picture, page)] if picture else []),
        *(_question(question, pairs, rows) for question in QUESTIONS),
        "## Learning curves",
        _filled(flatness(rows)),
        *(
            [_filled("The line is the mean of all trainings; the band goes from the lowest to the highest.")]
            if curves
            else []
        ),
        *(_image(f"FVD by optimizer steps: {title}", file, page) for title, file in curves),
        "## What could have been seen",
        _wrapped(power_section(pairs, confidence)),
        "## Scores and cost",
        _table(rows) if rows else "Nothing is recorded yet.",
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
    return [_filled(text) for text in found]


def _how(pairs: Sequence[Pair], confidence: float) -> str:
    claimed = len({(pair.a.key, pair.b.key) for pair in pairs if pair.question.claim})
    rest = len({(pair.a.key, pair.b.key) for pair in pairs if not pair.question.claim})
    return _filled(
        "FVD decides an answer; PSNR, the task found and the hand's position are listed with it. A difference is told"
        f" from chance if p, corrected for the number of pairs (Holm), is below {1 - confidence:.2g}. The {claimed}"
        f" pairs of the paper's claims are corrected together, and so are the {rest} others. Intervals are"
        f" {percent(confidence)}, not corrected; they hold for the choice of clips and of trainings. The last column is"
        " the share of resampled clips and trainings in which the first row is better."
    )


def _question(question: Question, pairs: Sequence[Pair], rows: Mapping[str, Row]) -> str:
    own = [pair for pair in pairs if pair.question.name == question.name]
    wanted = [key for pair in question.pairs for key in pair]
    lines = [f"### {question.question}", ""]
    if question.claim:
        lines += [_filled(f"The paper: {question.claim}"), ""]
    if question.note:
        lines += [_filled(question.note), ""]
    if not question.paired and all(key in rows for key in wanted):
        return "\n".join([*lines, _side_by_side([rows[key] for key in dict.fromkeys(wanted)])])
    if not own:
        missing = ", ".join(f"`{key}`" for key in dict.fromkeys(wanted) if key not in rows)
        return "\n".join([*lines, f"Not answered: {f'{missing} not run' if missing else 'no score in common'}."])

    answer = " ".join(_sentence(pair) for pair in _deciding(own))
    others = [pair for pair in own if pair.told and pair.metric.stem != FVD.stem]
    lines += [_filled(f"**{_verdict(question, own)}** {answer}"), ""]
    lines += [_filled(f"By other scores: {' '.join(_sentence(pair) for pair in others)}"), ""] if others else []
    lines += [
        "| first | second | score | first minus second | p, corrected | first is better |",
        "|---|---|---|---|---|---|",
    ]
    lines += [_pair_line(pair) for pair in own]
    return "\n".join(lines)


def _title(row: Row) -> str:
    """A row's title as plain text of a table's cell."""
    return html.escape(row.title, quote=False).replace("|", "\\|")


def _deciding(pairs: Sequence[Pair]) -> list[Pair]:
    """The comparisons by FVD, with or without the ground truth's initial frames."""
    return [pair for pair in pairs if pair.metric.stem == FVD.stem]


def _verdict(question: Question, pairs: Sequence[Pair]) -> str:
    deciding = _deciding(pairs)
    told = [pair for pair in deciding if pair.told]
    if not told:
        return "No difference can be told."
    every, never, some = question.words or (CLAIM if question.claim else ["There is a difference."] * 3)
    if all(pair.told and pair.a_is_better for pair in deciding) and len(deciding) == len(question.pairs):
        return every
    return some if any(pair.a_is_better for pair in told) else never


def _sentence(pair: Pair) -> str:
    better, worse = (pair.a, pair.b) if pair.a_is_better else (pair.b, pair.a)
    sizes = sorted((abs(pair.found.low), abs(pair.found.high)))
    write, unit = pair.metric.write, f" {pair.metric.unit}" if pair.metric.unit else ""
    if pair.told:
        text = (
            f"{_title(better)} is better than {_title(worse)} by {write(abs(pair.found.value))}{unit} of"
            f" {pair.metric.title} ({write(sizes[0])} to {write(sizes[1])})."
        )
    else:
        text = f"{_title(pair.a)} and {_title(pair.b)} can't be told apart."
    if pair.smallest is None:
        return text + " With one training of each, other seeds may change this."
    seen = f"A difference of {significant(pair.smallest)} would have been seen in four of five experiments."
    return text if pair.told else f"{text} {seen}"


def _named(metric: Metric) -> str:
    """A metric's title with its unit."""
    return f"{metric.title} ({metric.unit})" if metric.unit else metric.title


def _pair_line(pair: Pair) -> str:
    def written(value: float) -> str:
        sign = "+" if value > 0 else signed("-") if value < 0 else ""
        return sign + pair.metric.write(abs(value))

    found = pair.found
    difference = f"{written(found.value)} ({written(found.low)} to {written(found.high)})"
    chance = "below 0.001" if found.p_corrected < 0.001 else signed(significant(found.p_corrected))
    return (
        f"| {_title(pair.a)} | {_title(pair.b)} | {_named(pair.metric)} | {difference} | {chance} |"
        f" {percent(found.a_is_better)} |"
    )


def _side_by_side(rows: Sequence[Row]) -> str:
    """Every score that one of the rows has."""
    lines = [f"| score | {' | '.join(f'`{row.key}`' for row in rows)} |", "|---|" + "---|" * len(rows)]
    for metric in METRICS:
        if any(row.end(metric) for row in rows):
            lines.append(f"| {_named(metric)} | {' | '.join(_mean(row, metric) for row in rows)} |")
    return "\n".join(lines)


def _mean(row: Row, metric: Metric) -> str:
    values = row.end(metric)
    if not values:
        return "–"
    spread = f" (sd {metric.write(stdev(values))})" if len(values) > 1 else ""
    return f"{metric.write(fmean(values))}{spread}"


def _table(rows: Mapping[str, Row]) -> str:
    """Scores at the end, and what the rows cost."""
    titles = map(_named, SHOWN)
    lines = [
        f"| row | trained weights | trainings | steps | {' | '.join(titles)} | minutes a training | on |",
        "|---|---|---|---|" + "---|" * len(SHOWN) + "---|---|",
    ]
    total = 0.0
    for row in rows.values():
        seconds = [record.seconds for record in row.records.values() if record.seconds is not None]
        total += sum(seconds)
        weights = f"{row.first.trained:,}" if row.first.trained else "–"
        scores = " | ".join(_mean(row, metric) for metric in SHOWN)
        minutes = f"{fmean(seconds) / 60:.1f}" if seconds else "–"
        devices = ", ".join(dict.fromkeys(record.device for record in row.records.values() if record.device)) or "–"
        trainings = len(row.records) if seconds else "–"
        lines.append(
            f"| `{row.key}` | {weights} | {trainings} | {row.first.steps:,} | {scores} | {minutes} | {devices} |"
        )

    return "\n".join([*lines, "", _filled(_made_by(rows, total))])


def _made_by(rows: Mapping[str, Row], seconds: float) -> str:
    """How long all trainings took, and the code that they ran."""
    records = [record for row in rows.values() for record in row.records.values()]
    made: dict[str, list[str]] = {}
    for row in rows.values():
        for commit in dict.fromkeys(record.git_commit for record in row.records.values()):
            if commit:
                made.setdefault(commit[:12], []).append(f"`{row.key}`")
    most = max(made.values(), key=len, default=[])
    commits = [f"{commit} ({'the other rows' if keys is most and len(made) > 1 else ', '.join(keys)})"
               for commit, keys in sorted(made.items(), key=lambda item: len(item[1]))]  # fmt: skip
    codes: dict[str, set[str]] = {}
    for record in records:
        for step, code in record.code.items():
            codes.setdefault(step, set()).add(code)
    states = max(map(len, codes.values()), default=0)
    of_code = f"{states} {'state' if states == 1 else 'states'} of the code"
    return (
        f"All trainings together took {seconds / 3600:.1f} hours."
        f" They were made by {'; '.join(commits) or '–'}, with {of_code}."
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


def _filled(text: str) -> str:
    return textwrap.fill(text, 120, break_long_words=False, break_on_hyphens=False)


def _wrapped(lines: Iterable[str]) -> str:
    return "\n".join(line if line.startswith("|") else _filled(line) for line in lines)
