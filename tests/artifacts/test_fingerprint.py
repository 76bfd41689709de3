"""No setting is forgotten: each is in a step's fingerprint or harmless, and no step reads one that its own lacks."""

import typing
from collections.abc import Iterator
from functools import cache
from types import UnionType
from typing import Any, Literal

import pytest
from pydantic import BaseModel

from fca.artifacts.fingerprint import fingerprint
from fca.artifacts.fingerprint.settings import AFFECTED, HARMLESS, STEPS, affected, leaves, settings_of
from fca.config import Config, load
from fca.config.settings import Settings
from tests.data.corpora import ROOT

CONFIG = load(ROOT / "config/pocket.yaml", {"score": {"vbench": {}}})
LEAVES = {kind: path for path, kind, _ in reversed(list(leaves(CONFIG)))}  # one of each kind: the first


def arguments(annotation: Any) -> Iterator[Any]:
    """An annotation's alternatives, and what its containers hold."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        yield from arguments(typing.get_args(annotation)[0])
    elif origin in (typing.Union, UnionType, dict):
        for argument in typing.get_args(annotation):
            yield from arguments(argument)
    else:
        yield annotation


def kinds(model: type[BaseModel], above: str = "") -> Iterator[str]:
    """The names of all leaf settings that a model's class declares."""
    for name, field in model.model_fields.items():
        groups = [item for item in arguments(field.annotation) if isinstance(item, type) and issubclass(item, Settings)]
        star = "*." if typing.get_origin(field.annotation) is dict else ""
        if not groups:
            yield f"{above}{name}"
        elif name != "ablations":  # they are variants
            yield from kinds(groups[0], f"{above}{name}.{star}")


def other(value: Any, annotation: Any) -> Any:
    """Another value of a setting's type."""
    for argument in arguments(annotation):
        if typing.get_origin(argument) is Literal:
            return [item for item in typing.get_args(argument) if item != value][-1]  # not what null may stand for
        if value is None and typing.get_origin(argument) is tuple:
            return (0.5, 0.6)
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str():
            return f"{value}x"
        case tuple() | list():
            return type(value)([*value, 0.5])
        case dict():
            return value | {"new": ["value"]}
        case None:
            (plain,) = {item for item in arguments(annotation) if item in (int, float, str)} or {str}
            return plain(3)
    raise TypeError(f"no other value than {value!r} is known")


def changed(settings: Any, path: list[str]) -> Any:
    """A copy in which the leaf at `path` has another value."""
    name, *rest = path
    if isinstance(settings, dict):
        return settings | {name: changed(settings[name], rest)}
    value = getattr(settings, name)
    new = changed(value, rest) if rest else other(value, type(settings).model_fields[name].annotation)
    return settings.model_copy(update={name: new})


def with_another(path: str) -> Config:
    group, *rest = path.split(".")
    if group == "variants" and rest[0] in CONFIG.ablations:
        group = "ablations"
    return changed(CONFIG, [group, *rest])


Job = tuple[str, str | None, str | None, str | None]


def jobs() -> Iterator[Job]:
    """Every step for a dataset, and where it has one, each variant or base."""
    for step in STEPS:
        if step in ("train", "sample", "sample_edited", "score", "vbench"):
            named = [name for name, variant in CONFIG.every_variant.items() if variant.trained or step != "train"]
            yield from ((step, "ssv2", name, None) for name in named)
        elif step == "encode":
            yield from ((step, "ssv2", None, base) for base in ("text", "image"))
        else:
            yield step, None if step == "report" else "ssv2", None, None


@cache
def before(job: Job) -> dict[str, Any]:
    return fingerprint(CONFIG, *job)["settings"]


def test_the_walk_meets_every_setting_that_there_is() -> None:
    assert set(LEAVES) == set(kinds(Config))


@pytest.mark.parametrize("kind", sorted(LEAVES))
def test_every_setting_changes_a_fingerprint_or_is_harmless(kind: str) -> None:
    config = with_another(LEAVES[kind])
    first = sorted(jobs(), key=lambda job: job[0] not in affected(kind))  # the rest for harmless ones
    seen = any(settings_of(config, *job) != before(job) for job in first)
    assert seen != (kind in HARMLESS)


def test_harmless_settings_exist_and_have_a_reason() -> None:
    assert set(HARMLESS) <= set(LEAVES)
    assert all(len(reason) > 10 for reason in HARMLESS.values())
    for row, steps in AFFECTED.items():
        assert any(f"{kind}.".startswith(f"{row}.") for kind in LEAVES), row
        assert set(steps) <= set(STEPS), row


def test_a_setting_that_no_table_names_affects_every_step() -> None:
    class Wider(Config):
        forgotten: int = 0

    config = Wider.model_validate(CONFIG.model_dump())
    for step in STEPS:
        other = config.model_copy(update={"forgotten": 1})
        assert settings_of(config, step) != settings_of(other, step), step


def test_what_is_downloaded_of_a_dataset_follows_the_clips_that_are_asked_for() -> None:
    """Or more clips would be listed of files that were never fetched."""
    page = "https://huggingface.co/datasets/a/b"
    arm = {
        "format": "lerobot", "source": "archive", "root": "arm", "urls": [page], "initial_frames": 1, "train_steps": 1,
        "train": {"clips": 9, "shard_clips": 9}, "validation": {"clips": 3, "shard_clips": 9},
    }  # fmt: skip

    def fetched(**own: Any) -> dict[str, Any]:
        config = load(ROOT / "config/pocket.yaml", {"datasets": {"arm": arm | own}})
        return settings_of(config, "fetch", "arm")

    for own in (
        {"train": {"clips": 10, "shard_clips": 9}}, {"validation": {"clips": 4, "shard_clips": 9}},
        {"validation_share": 0.5}, {"urls": [f"{page}/tree/v3.0"]}, {"camera": "top"}, {"split_by": "task"},
    ):  # fmt: skip
        assert fetched(**own) != fetched(), own
    assert fetched(urls=[], train={"clips": 10, "shard_clips": 9}) == fetched(urls=[]), "a folder stays as it is"
