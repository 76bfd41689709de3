# The configuration, and functions that rules share; no rules.
import argparse
import os
import shlex
import sys
from functools import cache
from pathlib import Path

import yaml
from snakemake.exceptions import WorkflowError
from snakemake.settings.types import DeploymentMethod
from snakemake_interface_executor_plugins.settings import DeploymentMethod

from fca.artifacts.evidence import is_recorded
from fca.artifacts.fingerprint import code_hash, fingerprint
from fca.artifacts.fingerprint.settings import AFFECTED
from fca.config import ConfigError, Layout
from fca.config.dataset_formats import FORMATS
from fca.config.load import check_networks, load_with_origins
from fca.config.names import LENGTH
from fca.config.comparisons import COMPARISONS, comparison_config
from fca.errors import FcaError
from fca.config.vbench import GROUND_TRUTH
from fca.vbench.weights import is_ready

REPOSITORY = Path(str(workflow.current_basedir)).parents[1]

# The image of `--sdm apptainer`, made by `make container`.
CONTAINER = REPOSITORY / "container.sif"
IN_CONTAINER = DeploymentMethod.APPTAINER in workflow.deployment_settings.deployment_method
if IN_CONTAINER and not CONTAINER.is_file():
    raise WorkflowError(f"there is no container {CONTAINER}\nremedy: `make container`, or leave out `--sdm apptainer`")

# Jobs find the scripts of the workflow, and `fca` next to the Python that runs Snakemake, whether or not its environment is
# activated. In the container `fca` is the container's, which holds packages alone and runs this repository's code.
PLACES = [REPOSITORY / "workflow/scripts"] + ([] if IN_CONTAINER else [os.path.dirname(sys.executable)])
VARIABLES = f"PATH={shlex.quote(os.pathsep.join(map(str, PLACES)))}:$PATH"
if IN_CONTAINER:
    VARIABLES += f" PYTHONPATH={shlex.quote(str(REPOSITORY / 'src'))}"
# A prefix of our own replaces Snakemake's: without pipefail, a step that fails before `| tee` would count as done.
shell.prefix(f"set -euo pipefail; export {VARIABLES}; ")


def require_workflow_profile():
    """Refuse a --workflow-profile that isn't where Snakemake looks: it would silently run without one."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--workflow-profile", default="none")
    given = parser.parse_known_args(sys.argv[1:])[0].workflow_profile
    start, beside = Path(workflow.rundir), Path(workflow.main_snakefile).parent
    places = [start / given, start / "profiles" / given, beside / "profiles" / given]
    if given != "none" and not any(place.exists() for place in places):
        known = sorted(path.name for path in (REPOSITORY / "profiles").iterdir())
        raise WorkflowError(
            f"there is no workflow profile {given}\nexpected: one of {', '.join(map(str, places))}\n"
            f"remedy: from any folder, `--workflow-profile NAME` takes {', '.join(known)}"
        )


require_workflow_profile()


def profile_options():
    """The profiles of this run as options of `fca rehearse`, which runs Snakemake again."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--profile", default=os.environ.get("SNAKEMAKE_PROFILE"))
    parser.add_argument("--workflow-profile")
    given = parser.parse_known_args(sys.argv[1:])[0]
    options = {"--profile": given.profile, "--workflow-profile": given.workflow_profile}
    words = [word for name, value in options.items() if value for word in (name, value)]
    return shlex.join(["--", *words]) if words else ""


def read_configuration():
    """The validated configuration, the origins of its settings, and the file that `fca` commands read it from.

    That is the file named by --configfile (or config/pocket.yaml). Several files are merged, a later one over those
    before it. If there are several, or --config changes values, the resolved configuration is written to
    config.resolved.yaml in the scale's data folder, and commands read that.
    """
    files = [os.path.relpath(file) for file in workflow.overwrite_configfiles]
    files = files or [os.path.relpath(REPOSITORY / "config/pocket.yaml")]
    overrides = dict(workflow.config_settings.config)
    try:
        configuration, origins = load_with_origins(files, overrides)
    except ConfigError as error:
        raise WorkflowError(str(error)) from None
    if len(files) == 1 and not overrides:
        return configuration, origins, files[0]

    path = Layout(configuration).root / "config.resolved.yaml"
    write_if_changed(path, yaml.safe_dump(configuration.model_dump(mode="json"), sort_keys=False))
    return configuration, origins, path


def write_if_changed(path, text):
    if path.exists() and path.read_text() == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".aside-{os.getpid()}-{path.name}")
    aside.write_text(text)
    aside.replace(path)


CONFIG, ORIGINS, CONFIG_FILE = read_configuration()
LAYOUT = Layout(CONFIG)


def config_file(wildcards, output):
    """For `params:`: the file that `fca` commands read.

    Snakemake doesn't compare params that are functions of a job's outputs, so another name of the file runs nothing again.
    """
    return CONFIG_FILE


fingerprint_once = cache(lambda step, *names: fingerprint(CONFIG, step, *names))


@cache
def require_networks(base):
    """Name a missing folder of networks before any job runs."""
    try:
        check_networks(CONFIG, ORIGINS, base)
    except ConfigError as error:
        raise WorkflowError(str(error)) from None


def fingerprint_of(step):
    """For `params:`: the fingerprint of a step, for the job's own dataset, variant and base."""

    def of_job(wildcards):
        variant = wildcards.get("variant", wildcards.get("row"))
        variant, base = None if variant == GROUND_TRUTH else variant, wildcards.get("base")
        if step in AFFECTED["base.model"]:
            require_networks(CONFIG.variant(variant).base if variant else base or "text")
        return fingerprint_once(step, wildcards.get("dataset"), variant, base)

    return of_job


def log_of(step, *names):
    """The path of a job's log."""
    return str(LAYOUT.root / "logs" / step / ("-".join(names) + ".log"))


def score_file(path, **labels):
    """For `output:`: a file of scores, marked for `snakemake --report`."""
    return report(path, category="Scores", subcategory="{dataset}", labels=labels)


def report_folder():
    """The pages with everything that they show, marked for `snakemake --report`, once there are any.

    The folder also has pages of other rules and commands, so it is no rule's output.
    """
    if not LAYOUT.report.exists():
        return []
    return report(LAYOUT.report.parent, category="Report", htmlindex=LAYOUT.report.name)


def captions_of(wildcards):
    """The captions file of a folder of the user's own videos, which is edited more often than an archive.

    If there is none yet, `fca fetch` says what to write. It is an input of both steps that read it. Otherwise, after a
    mistake in it made `fetch` fail, which removes raw.json, the old index would count as up to date.
    """
    dataset = CONFIG.datasets[wildcards.dataset]
    names = FORMATS[dataset.format].watched
    return [path for name in names if (path := Path(dataset.root).expanduser() / name).is_file()]


def excluded_of(wildcards):
    """The list of excluded clips, if there is one."""
    path = CONFIG.datasets[wildcards.dataset].exclude
    return [] if path is None else [Path(path).expanduser()]


def clips(dataset, split):
    """Manifests of all clip shards of a split; only validation clips are stored."""
    return [LAYOUT.manifest(LAYOUT.clips(dataset, split, k)) for k in LAYOUT.shards(dataset, split)]


def clips_to_encode(wildcards):
    """Manifests that a latents shard depends on: stored clips for validation, the index for train.

    A shard of image_base also on that of base, whose captions it doesn't store again if both have the same T5.
    """
    dataset, split, shard = wildcards.dataset, wildcards.split, wildcards.shard
    found = [LAYOUT.index_manifest(dataset), LAYOUT.verified(dataset)]
    if split != "train":
        found = [LAYOUT.manifest(LAYOUT.clips(dataset, split, shard))]
    return found if wildcards.base == "text" else [*found, LAYOUT.manifest(LAYOUT.latents(dataset, split, shard))]


def latents(dataset, split, base="text"):
    """Manifests of all latents shards of a split."""
    return [LAYOUT.manifest(LAYOUT.latents(dataset, split, k, base)) for k in LAYOUT.shards(dataset, split)]


def training_latents(wildcards):
    """Manifests of the latents that the job's variant is trained on."""
    return latents(wildcards.dataset, "train", CONFIG.variant(wildcards.variant).base)


def latents_to_sample(wildcards):
    """Manifest of the latents that the job's variant starts from."""
    base = CONFIG.variant(wildcards.variant).base
    return LAYOUT.manifest(LAYOUT.latents(wildcards.dataset, "validation", wildcards.shard, base))


def all_validation_latents(wildcards):
    """Manifests of all latents that the job's variant can start from."""
    return latents(wildcards.dataset, "validation", CONFIG.variant(wildcards.variant).base)


def samples(dataset, variant):
    """Manifests of all scored predictions of a variant."""
    return [
        LAYOUT.manifest(LAYOUT.samples(dataset, variant, kind, k))
        for kind in LAYOUT.sample_kinds(dataset, variant)
        if kind != "edited"
        for k in LAYOUT.sample_shards(dataset, kind)
    ]


def edited_samples(dataset):
    """Manifests of predictions from edited captions, which have no ground truth."""
    return [
        LAYOUT.manifest(LAYOUT.samples(dataset, variant, "edited", 0))
        for variant in CONFIG.variants
        if "edited" in LAYOUT.sample_kinds(dataset, variant)
    ]


def model_of(wildcards):
    """Manifest of the job's trained model, for variants that have one."""
    trained = CONFIG.variant(wildcards.variant).trained
    return LAYOUT.model_manifest(wildcards.dataset, wildcards.variant) if trained else []


def models(dataset):
    """Manifests of all trained variants, replicates included."""
    trained = [name for name, variant in CONFIG.variants.items() if variant.trains]
    return [LAYOUT.model_manifest(dataset, name) for variant in trained for name in CONFIG.replicates(variant)]


def scores(dataset):
    """Scores of all variants."""
    return [LAYOUT.final_scores(dataset, variant) for variant in CONFIG.variants]


def measured_round_trips(dataset):
    """Manifests of the measured shards of the VAE's round trips."""
    return [LAYOUT.manifest(LAYOUT.vae_roundtrip_shard(dataset, k)) for k in LAYOUT.shards(dataset, "validation")]


def vae_roundtrips():
    """VAE reconstruction bounds of all datasets."""
    return [LAYOUT.vae_roundtrip(dataset) for dataset in CONFIG.datasets]


def comparison_scores(name):
    """For `input:`: scores of a comparison's variants on its datasets."""

    def of_job(wildcards):
        try:
            shown = comparison_config(CONFIG, name)
        except FcaError as error:
            raise WorkflowError(str(error)) from None
        return [LAYOUT.final_scores(dataset, variant) for dataset in shown.datasets for variant in shown.variants]

    return of_job


def comparison_runs(dataset, name):
    """Scores of every training of a comparison's variants."""
    shown = comparison_config(CONFIG, name)
    return [LAYOUT.scores(dataset, run) for variant in shown.variants for run in CONFIG.replicates(variant)]


def comparison_differences(name):
    """For `input:`: differences between a comparison's variants on its datasets, if it has two or more."""

    def of_job(wildcards):
        try:
            shown = comparison_config(CONFIG, name)
        except FcaError as error:
            raise WorkflowError(str(error)) from None
        return [LAYOUT.differences(dataset, name) for dataset in shown.datasets if len(shown.variants) > 1]

    return of_job


def vbench_results(datasets):
    """VBench of all variants and of the ground truth, on the datasets that it is measured on."""
    settings = CONFIG.score.vbench
    measured = [dataset for dataset in datasets if settings and settings.measures(dataset)]
    return [LAYOUT.vbench(dataset, row) for dataset in measured for row in (*CONFIG.variants, GROUND_TRUTH)]


def vbench_samples(wildcards):
    """Manifests of the predictions to measure; the ground truth has none."""
    return [] if wildcards.row == GROUND_TRUTH else samples(wildcards.dataset, wildcards.row)


def not_recorded(wildcards):
    """Records of the trainings, and of the rows without one, that the repository doesn't have."""
    runs = [(dataset, name) for dataset in CONFIG.datasets for name in CONFIG.every_replicate]
    try:
        return [LAYOUT.recorded(dataset, name) for dataset, name in runs if not is_recorded(CONFIG, dataset, name)]
    except FcaError as error:
        raise WorkflowError(str(error)) from None
