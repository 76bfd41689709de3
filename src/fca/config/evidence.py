"""Settings of the committed results of `snakemake evidence`."""

from fca.config.settings import Scale, Settings


class Evidence(Settings):
    """Results of trainings that are kept in the repository, as small JSON files."""

    folder: str = "docs/evidence"
    """Folder of the records, from the working directory; their page is next to it, with .md"""
    experiment: Scale = "pocket_evidence"
    """Scale whose rows the page compares; `fca.config.questions` lists them"""
    same_code: bool = False
    """Compute again what other code recorded; false: other settings and networks alone do that, and the page says so"""
