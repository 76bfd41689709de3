"""Assemble the page: collect, draw, write the media and the HTML aside, and swap them in at the end.

Captions, ids, paths and whatever a manifest says are untrusted: jinja2 escapes everything, and a content
security policy lets the page use its own style and script (by hash), show files beside it, and nothing else.
"""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from fca import __version__
from fca.artifacts.atomic import write_aside
from fca.config import Config, Layout
from fca.config.comparisons import COMPARISONS, comparison_config
from fca.report import provenance
from fca.report.beside import Beside, beside
from fca.report.cards import gallery
from fca.report.collect import DatasetResult, collect
from fca.report.curves import curves
from fca.report.edited import edited_gallery
from fca.report.findings import sentence
from fca.report.floor import floors
from fca.report.metrics import METRICS, signed
from fca.report.overview import write_overview
from fca.report.plots import write_plots
from fca.report.table import group
from fca.report.vbench import section

TEMPLATES = Path(__file__).parent / "templates"
CONTROLS = dict.fromkeys({*range(32), *range(127, 160)} - {9, 10}, "\N{REPLACEMENT CHARACTER}")


def report(config: Config, comparison: str | None = None) -> Path:
    """Write `index.html`, `assets/`, `metrics.json` and `plots/` from what the scale's folders hold; return the page.

    With a comparison (`table3`) the page is about its variants, beside the paper's numbers, in a folder of its own.
    What was not made yet is named on the page. The same inputs give the same bytes. Raises `FcaError` for a
    damaged input or a full disk; the report of before then stays as it was.
    """
    if comparison is not None:
        config = comparison_config(config, comparison)
    layout = Layout(config)
    datasets = collect(config)
    paper = _beside(comparison, datasets)
    with write_aside(layout.report_assets) as assets:
        assets.mkdir()
        galleries = [gallery(dataset, config.report.clips, assets) for dataset in datasets]
        edits = [] if comparison else [found for dataset in datasets if (found := edited_gallery(dataset, assets))]
        has_overview = write_overview(datasets, assets / "overview.png")
        text = render(
            context(config, datasets)
            | {
                "galleries": galleries,
                "edited": edits,
                "has_overview": has_overview,
                "beside": paper,
                "title": COMPARISONS[comparison].title if comparison else "",
                "others": [] if comparison else _others(config),
            }
        )
    with write_aside(layout.metrics) as file:
        file.write_text(json.dumps(all_values(datasets), indent=1, sort_keys=True) + "\n", encoding="utf-8")
    write_plots(datasets, layout.metrics.with_name("plots"))
    with write_aside(layout.report) as page:
        page.write_text(text, encoding="utf-8", newline="\n")
    return layout.report


def _beside(comparison: str | None, datasets: list[DatasetResult]) -> Beside | None:
    """The comparison, or Table 1 where the report has any of its datasets."""
    table = COMPARISONS[comparison or "table1"]
    shown = [dataset for dataset in datasets if dataset.settings.format in table.datasets]
    return beside(table, shown) if shown else None


def _others(config: Config) -> list[tuple[str, str]]:
    """Names and titles of the comparisons, besides Table 1, that the configuration can make."""
    known = config.every_variant
    return [
        (name, comparison.title)
        for name, comparison in COMPARISONS.items()
        if name != "table1" and all(variant in known for variant in comparison.variants)
    ]


def all_values(datasets: list[DatasetResult]) -> dict[str, dict[str, dict[str, float]]]:
    """Every value by dataset, variant and full protocol name: what `dvc metrics` and scripts read."""
    return {
        dataset.name: {
            result.variant.name: {name: score.value for name, score in sorted(result.scores.scores.items())}
            for result in dataset.variants
            if result.scores
        }
        for dataset in datasets
    }


def context(config: Config, datasets: list[DatasetResult]) -> dict[str, Any]:
    """What the templates say, apart from the clips."""
    return {
        "config": config,
        "datasets": datasets,
        "assets": Layout(config).report_assets.name,
        "sentences": [sentence(dataset) for dataset in datasets],
        "metrics": METRICS,
        "groups": [group(dataset) for dataset in datasets],
        "floors": floors(config, datasets),
        "charts": [(dataset.name, curves(dataset, config.clip.frames)) for dataset in datasets],
        "vbench": section(config, provenance.config_file(config)),
        "runs": provenance.runs(datasets),
        "versions": provenance.versions(datasets),
        "continued": provenance.continued(datasets, config),
        "commands": provenance.commands(config, datasets),
        "config_file": provenance.config_file(config),
        "scratch_file": provenance.scratch_file(config),
        "configuration": provenance.configuration(config),
        "sources": [source for dataset in datasets for source in dataset.sources],
        "quarantine": [row for dataset in datasets for row in dataset.quarantine],
        "fca_version": __version__,
    }


def render(values: dict[str, Any], template: str = "page.html.j2") -> str:
    """A page as text, every value escaped, nothing undefined."""
    style, script = template_file("page.css"), template_file("page.js")
    return (
        environment()
        .get_template(template)
        .render(
            values,
            style=Markup(style),
            script=Markup(script),
            style_hash=source_hash(style),
            script_hash=source_hash(script),
        )
    )


def environment() -> jinja2.Environment:
    """How templates become pages: every value escaped, nothing undefined."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=plain,
    )
    made.filters["breakable"] = breakable
    made.filters["signed"] = signed
    return made


def template_file(name: str) -> str:
    """A style or script of ours."""
    return (TEMPLATES / name).read_text(encoding="utf-8")


def plain(value: Any) -> Any:
    """Text without control characters and half surrogates; everything else as it is."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return value.translate(CONTROLS).encode("utf-8", "replace").decode("utf-8")


def breakable(text: str) -> Markup:
    """A long identifier that may be broken after its underscores and slashes."""
    escaped = str(Markup.escape(plain(text)))
    return Markup(escaped.replace("_", "_<wbr>").replace("/", "/<wbr>"))


def source_hash(text: str) -> str:
    """The hash by which a content security policy knows an inline style or script."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
