"""The `fca` command: one thin subcommand for each step of the workflow, files in, files out.

Modules that take long to import are imported by the subcommand that needs them.
"""

import argparse
import errno
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fca import __version__
from fca.artifacts.atomic import is_full
from fca.cli.compare import add_compare
from fca.cli.options import add_check, add_common, add_floor, add_plan, positive
from fca.cli.predict_options import add_predict
from fca.cli.study import add_study
from fca.cli.vbench import add_vbench
from fca.cli.verify import add_verify
from fca.config.comparisons import COMPARISONS
from fca.errors import FcaError
from fca.runs.status import add_status

if TYPE_CHECKING:
    from fca.config import Config

DEFECTS = (None, errno.ENOENT, errno.EBADF)
"""Of an OSError: steps look for what they read and say who makes it, so a file that is missing here was named wrong."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand. Exit status: 0 done, 1 a problem, 2 a wrong command line or configuration, 75
    (`fca.errors.INTERRUPTED`) stopped when it was asked to, to be run again.
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    parser = _parser()
    arguments, rest = parser.parse_known_args(argv)
    if rest and arguments.command != "pocket":
        parser.error(f"unrecognised arguments: {' '.join(rest)}")
    arguments.argv, arguments.rest = argv, rest
    try:
        return arguments.function(arguments) or 0
    except FcaError as error:
        return _failed(arguments, str(error), error.exit_status)
    except KeyboardInterrupt:
        return _failed(arguments, "interrupted", 130)
    except Exception as error:
        if is_full(error):
            return _failed(arguments, str(_full_disk(error, arguments)), 1)
        if isinstance(error, OSError) and isinstance(error.filename, str | bytes) and error.errno not in DEFECTS:
            return _failed(arguments, str(_no_access(error)), 1)
        raise


def _failed(arguments: argparse.Namespace, message: str, status: int) -> int:
    if arguments.debug:
        traceback.print_exc()
    first, *rest = message.splitlines() or ["unknown problem"]
    with suppress(OSError):  # whoever read it may have been killed, too
        print(f"fca {arguments.command}: {first}", *(f"  {line}" for line in rest), sep="\n", file=sys.stderr)
    return status


def _full_disk(error: Exception, arguments: argparse.Namespace) -> FcaError:
    path = getattr(error, "filename", None)
    if path is None and "config" in arguments:
        from fca.config import Layout, load

        layout = Layout(load(arguments.config))
        path = f"{layout.root} or {layout.runs}"
    return FcaError(
        f"{path or 'the working directory'}: no space left on the disk",
        remedy="make room, or set data_dir and run_dir to a larger disk; then run the same command again",
    )


def _no_access(error: OSError) -> FcaError:
    return FcaError(
        f"{os.fsdecode(error.filename)}: {error.strerror}",
        "a file or folder that this user may read and write, on a disk that works",
        "mend that, then run the same command again; --debug shows where it was needed",
    )


def _config(arguments: argparse.Namespace) -> "Config":
    """The configuration, once the names and numbers on the command line are known to be in it."""
    from fca.config import Layout, load

    config = load(arguments.config)
    layout = Layout(config)
    given = vars(arguments)
    if "dataset" in given:
        _require("dataset", given["dataset"], list(config.datasets))
    if "variant" in given:
        _require("variant", given["variant"], list(config.every_variant))
    if "kind" in given:
        if config.variant(given["variant"]).prediction == "repeat":
            raise FcaError(f"the variant {given['variant']!r} has nothing to sample: it repeats the last given frame")
        _require("kind of samples", given["kind"], layout.sample_kinds(given["dataset"], given["variant"]))
    if "shard" in given:
        split, kind = given.get("split", "validation"), given.get("kind")
        shards = layout.sample_shards(given["dataset"], kind) if kind else layout.shards(given["dataset"], split)
        if given["shard"] not in shards:
            raise FcaError(
                f"{given['dataset']} {kind or split} has no shard {given['shard']}",
                f"a number from 0 to {shards.stop - 1}",
            )
    return config


def _require(kind: str, name: str, known: Sequence[str]) -> None:
    if name not in known:
        raise FcaError(f"there is no {kind} {name!r} in the configuration", f"one of {', '.join(known)}")


def _fetch(arguments: argparse.Namespace) -> None:
    config = _config(arguments)
    from fca.data.fetch import fetch

    fetch(config, arguments.dataset)


def _index(arguments: argparse.Namespace) -> None:
    config = _config(arguments)
    from fca.data.index import build_index

    build_index(config, arguments.dataset)


def _resample(arguments: argparse.Namespace) -> None:
    config = _config(arguments)
    from fca.data.resample import resample

    resample(config, arguments.dataset, arguments.split, arguments.shard)


def _encode(arguments: argparse.Namespace) -> None:
    config = _config(arguments)
    from fca.encode.shard import encode

    encode(config, arguments.dataset, arguments.split, arguments.shard, arguments.base)


def _train(arguments: argparse.Namespace) -> int:
    config = _config(arguments)
    trained = [name for name, variant in config.every_variant.items() if variant.trained]
    if arguments.variant not in trained:
        raise FcaError(f"the variant {arguments.variant!r} has nothing to train", f"one of {', '.join(trained)}")
    config.train_steps(arguments.dataset, arguments.variant)  # says so where ablations aren't trained on this dataset
    from fca.train.launch import train

    return train(config, arguments.dataset, arguments.variant, arguments.accept_changes, arguments.argv)


def _sample(arguments: argparse.Namespace) -> None:
    config = _config(arguments)
    if arguments.kind == "edited":
        from fca.sample.edited import sample_edited

        sample_edited(config, arguments.dataset, arguments.variant)
        return
    from fca.sample import sample

    sample(config, arguments.dataset, arguments.variant, arguments.kind, arguments.shard)


def _score(arguments: argparse.Namespace) -> None:
    config = _config(arguments)
    from fca.score import score

    score(config, arguments.dataset, arguments.variant)


def _report(arguments: argparse.Namespace) -> None:
    config = _config(arguments)
    from fca.report.page import report

    report(config, arguments.comparison)


def _preview(arguments: argparse.Namespace) -> None:
    config = _config(arguments)
    from fca.report.preview import preview

    splits = [arguments.split] if arguments.split else ["train", "validation"]
    print(preview(config, arguments.dataset, splits, arguments.clips))


def _pocket(arguments: argparse.Namespace) -> None:
    from fca.pocket.build import main as build

    build(arguments.rest)


def _config_check(arguments: argparse.Namespace) -> None:
    from fca.config import load

    for path in arguments.files:
        config = load(path)
        names = f"datasets {', '.join(config.datasets)}; variants {', '.join(config.variants)}"
        print(f"{path}: good; scale {config.scale}; {names}")


def _config_show(arguments: argparse.Namespace) -> None:
    from fca.config.show import show

    print(show(arguments.config), end="")


def _config_table(arguments: argparse.Namespace) -> None:
    from fca.config.table import table

    print(table(), end="")


def _config_schema(arguments: argparse.Namespace) -> None:
    from fca.config.table import schema

    print(schema(), end="")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="fca",
        description="Predict the rest of a video from its first frames and a sentence, step by step.",
    )
    parser.add_argument("--version", action="version", version=f"fca {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="STEP", title="steps, in order")
    described: dict[str, dict[str, Any]] = {
        "dataset": {"help": "a dataset of the configuration, such as ssv2"},
        "split": {"choices": ["train", "validation"]},
        "variant": {"help": "a variant of the configuration, such as fca"},
        "--shard": {"type": int, "required": True, "metavar": "K", "help": "number of the shard, from 0"},
    }

    def step(name: str, function: Callable, help: str, *names: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=help, description=f"{help[0].upper()}{help[1:]}.")
        command.set_defaults(function=function)
        add_common(command)
        for positional_name in names:
            command.add_argument(positional_name, **described[positional_name])
        return command

    step("fetch", _fetch, "generate the tabletop videos, or download, unpack and check a licensed dataset", "dataset")
    step("index", _index, "list the clips of a dataset: split, caption, files", "dataset")
    step("resample", _resample, "decode a shard of clips to one length and size", "dataset", "split", "--shard")
    encode = step("encode", _encode, "run the frozen networks over a shard of clips", "dataset", "split", "--shard")
    encode.add_argument("--base", choices=["text", "image"], default="text",
                        help="the networks of base (default), or of image_base")  # fmt: skip
    train = step("train", _train, "train a variant; to resume, run the same command again", "dataset", "variant")
    train.add_argument("--accept-changes", action="store_true",
                       help="go on with an unfinished run although settings, code or data have changed")  # fmt: skip
    sample = step("sample", _sample, "predict a shard of validation clips", "dataset", "variant", "--shard")
    sample.add_argument("--kind", choices=["validation", "opposite", "edited"], default="validation",
                        help="the captions as they are (default), opposite ones, or edited_captions")  # fmt: skip
    step("score", _score, "compare a variant's predictions with the truth", "dataset", "variant")
    add_floor(commands)
    add_vbench(step)
    report = step("report", _report, "write the HTML report")
    report.add_argument("comparison", nargs="?", choices=list(COMPARISONS), metavar="COMPARISON",
                        help=f"the page of one comparison of the paper instead: {', '.join(COMPARISONS)}")  # fmt: skip

    data = commands.add_parser("data", help="look at a dataset before training on it; check the files made of it")
    data.set_defaults(debug=False)
    looks = data.add_subparsers(dest="action", required=True, metavar="ACTION")
    preview = looks.add_parser("preview", help="write a page of contact sheets, once `fca index` has run")
    preview.set_defaults(function=_preview)
    add_common(preview)
    preview.add_argument("dataset", **described["dataset"])
    preview.add_argument("--split", choices=["train", "validation"], help="only this split (default: both)")
    preview.add_argument("--clips", type=positive, default=12, metavar="N",
                         help="clips shown of each split, evenly spaced (default: %(default)s)")  # fmt: skip
    add_verify(looks)

    add_check(looks)

    add_plan(commands)
    add_status(commands)
    add_predict(commands)
    add_study(commands)
    add_compare(commands)
    pocket = commands.add_parser("pocket", help="make the pocket scale's networks again (hours)", add_help=False)
    pocket.set_defaults(function=_pocket, debug=False)

    config = commands.add_parser("config", help="check configuration files; print their schema or table of settings")
    config.set_defaults(debug=False)
    actions = config.add_subparsers(dest="action", required=True, metavar="ACTION")
    check = actions.add_parser("check", help="check configuration files")
    check.add_argument("files", nargs="+", type=Path, metavar="FILE")
    check.set_defaults(function=_config_check)
    resolved = actions.add_parser("show", help="print the resolved settings, each with the file and line it came from")
    resolved.set_defaults(function=_config_show)
    add_common(resolved)
    actions.add_parser("table", help="print config/README.md").set_defaults(function=_config_table)
    schema = actions.add_parser("schema", help="print workflow/schemas/config.schema.json")
    schema.set_defaults(function=_config_schema)
    return parser


if __name__ == "__main__":
    sys.exit(main())
