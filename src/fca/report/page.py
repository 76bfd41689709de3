"""The report: collect the results, gather the sections, write media and page aside, and swap them in at the end."""

import json
from pathlib import Path
from typing import Any

from fca import __version__
from fca.artifacts.atomic import write_aside, write_text
from fca.config import Config, Layout
from fca.config.comparisons import COMPARISONS, comparison_config
from fca.config.rehearsal import is_rehearsal
from fca.report.collect import DatasetResult, collect
from fca.report.for_tools import write_for_tools
from fca.report.metrics import METRICS
from fca.report.render import render
from fca.report.sections import provenance
from fca.report.sections.alongside import Alongside, alongside
from fca.report.sections.cards import gallery
from fca.report.sections.curves import curves
from fca.report.sections.differences import Differences, differences
from fca.report.sections.edited import edited_gallery
from fca.report.sections.executed import executed
from fca.report.sections.findings import sentence
from fca.report.sections.overview import write_overview
from fca.report.sections.table import dataset_table
from fca.report.sections.vae_roundtrip import vae_roundtrip
from fca.report.sections.vbench import vbench_section


def report(config: Config, comparison: str | None = None) -> Path:
    """Write `index.html`, `assets/` and the files of `fca.report.for_tools` from a scale's results; return the page.

    With a comparison (`table3`) the page shows its variants alongside the paper's numbers, in a folder of its own.
    The page names the results that don't exist yet. The same inputs give the same bytes.

    Raises:
        FcaError: an input is damaged or the disk is full; the previous report is left unchanged.
    """
    if comparison is not None:
        config = comparison_config(config, comparison)
    layout = Layout(config)
    datasets = collect(config)
    with write_aside(layout.report_assets) as assets:
        assets.mkdir()
        galleries = [gallery(dataset, config.report.clips, assets) for dataset in datasets]
        edits = [] if comparison else [found for dataset in datasets if (found := edited_gallery(dataset, assets))]
        text = render(
            "page.html.j2",
            config=config,
            datasets=datasets,
            assets=layout.report_assets.name,
            overview=write_overview(datasets, assets),
            title=COMPARISONS[comparison].title if comparison else "",
            is_rehearsal=is_rehearsal(config),
            rehearsal=_rehearsal(layout),
            others=[] if comparison else _other_comparisons(config),
            sentences=[sentence(dataset) for dataset in datasets],
            metrics=METRICS,
            tables=[dataset_table(dataset) for dataset in datasets],
            alongside=_alongside(comparison, datasets),
            differences=_differences(layout, datasets, comparison),
            executed=executed(config),
            round_trips=[vae_roundtrip(dataset, config.clip.frames) for dataset in datasets],
            charts=[(dataset.name, curves(dataset, config.clip.frames)) for dataset in datasets],
            vbench=vbench_section(config, provenance.config_file(config)),
            galleries=galleries,
            edited=edits,
            runs=provenance.training_runs(datasets),
            versions=provenance.versions(datasets),
            continued=provenance.continued(datasets, config),
            commands=provenance.commands(config, datasets),
            config_file=provenance.config_file(config),
            scratch_file=provenance.scratch_file(config),
            configuration=provenance.configuration(config),
            artifacts=[artifact for dataset in datasets for artifact in dataset.artifacts],
            quarantine=[row for dataset in datasets for row in dataset.quarantine],
            fca_version=__version__,
        )

    write_for_tools(datasets, layout.metrics)
    return write_text(layout.report, text)


def _rehearsal(layout: Layout) -> dict[str, Any] | None:
    """The table of a rehearsal: `head` and `rows` of texts; None if there is none."""
    if not is_rehearsal(layout.config) or not layout.rehearsal.is_file():
        return None
    return dict(json.loads(layout.rehearsal.read_text(encoding="utf-8")))


def _alongside(comparison: str | None, datasets: list[DatasetResult]) -> Alongside | None:
    """The comparison, or Table 1 if the report has any of its datasets."""
    table = COMPARISONS[comparison or "table1"]
    shown = [dataset for dataset in datasets if dataset.settings.format in table.datasets]
    return alongside(table, shown) if shown else None


def _differences(layout: Layout, datasets: list[DatasetResult], comparison: str | None) -> list[Differences]:
    """The differences between a comparison's variants, where they were measured."""
    found = [differences(layout, dataset, comparison) for dataset in datasets] if comparison else []
    return [one for one in found if one is not None]


def _other_comparisons(config: Config) -> list[tuple[str, str]]:
    """Names and titles of the comparisons, apart from Table 1, whose variants are configured."""
    known = config.every_variant
    return [
        (name, comparison.title)
        for name, comparison in COMPARISONS.items()
        if name != "table1" and all(variant in known for variant in comparison.variants)
    ]
