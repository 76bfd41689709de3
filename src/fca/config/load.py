"""Read a configuration file, and say precisely what is wrong with it."""

import difflib
import re
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from fca.config.models import Config
from fca.errors import FcaError


class ConfigError(FcaError):
    """A configuration that can't be used."""

    exit_status = 2


class _Loader(yaml.SafeLoader):
    """YAML as people write it: safe, no key twice, and 1e-3 is a number."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        seen: dict[Any, int] = {}
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            line = key_node.start_mark.line + 1
            if key in seen:
                raise ConfigError(
                    f"{node.start_mark.name}, line {line}: the key {key!r} is already in line {seen[key]}",
                    remedy="keep one of the two",
                )
            seen[key] = line
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+$"),
    list("-+0123456789."),
)


def load(path: str | Path, overrides: Mapping[str, Any] | None = None) -> Config:
    """The configuration in a YAML file, with `overrides` (nested, like the file) put over it.

    Text in overrides is read as YAML, since values that come from a command line are all text.
    `variants` and `ablations` may be lists of names: each is read from variants/<name>.yaml beside the file.
    """
    path = Path(path)
    values, lines = _read(path)
    files = {"": (path, lines)}
    overrides = _read_text(overrides or {})
    values = _merged(values, overrides)
    for group in ("variants", "ablations"):
        listed = values.get(group)
        if isinstance(listed, list):
            values[group] = {}
            for name in listed:
                values[group][name], files[f"{group}.{name}"] = _variant(path, name)
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise _explained(error, files, overrides) from None


def _read(path: Path) -> tuple[dict[str, Any], dict[str, int]]:
    """A file's values, and the line of each by its dotted path."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        found = sorted(str(other) for other in path.parent.glob("*.yaml")) if path.parent.is_dir() else []
        raise ConfigError(f"{path}: no such file", f"one of {', '.join(found)}" if found else "") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: can't be read: {error}") from None
    try:
        loader = _Loader(text)
        loader.name = str(path)
        node = loader.get_single_node()
        values = None if node is None else loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{path}, line {mark.line + 1}, column {mark.column + 1}" if mark else str(path)
        raise ConfigError(f"{where}: not valid YAML: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML: {error}") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: holds {_kind(values)}", "a mapping of settings; config/README.md lists them")
    return values, dict(_lines(node))


def _lines(node: yaml.Node, prefix: str = "") -> Iterator[tuple[str, int]]:
    children: list[tuple[str, yaml.Node, yaml.Node]] = []
    if isinstance(node, yaml.MappingNode):
        children = [(str(key.value), key, value) for key, value in node.value]
    elif isinstance(node, yaml.SequenceNode):
        children = [(str(number), value, value) for number, value in enumerate(node.value)]
    for name, marked, value in children:
        yield f"{prefix}{name}", marked.start_mark.line + 1
        yield from _lines(value, f"{prefix}{name}.")


def _variant(path: Path, name: Any) -> tuple[dict[str, Any], tuple[Path, dict[str, int]]]:
    folder = path.parent / "variants"
    known = sorted(file.stem for file in folder.glob("*.yaml"))
    if name not in known:
        close = _did_you_mean(str(name), known)
        raise ConfigError(
            f"{path}: variants: there is no variant {name!r}{close}",
            f"names of files in {folder}: {', '.join(known) or 'there are none'}",
        )
    file = folder / f"{name}.yaml"
    values, lines = _read(file)
    if values.get("name") != name:
        raise ConfigError(f"{file}: name is {values.get('name')!r}", f"the file's own name, {name!r}")
    return values, (file, lines)


def _read_text(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _read_text(below) for key, below in value.items()}
    if isinstance(value, list | tuple):
        return [_read_text(below) for below in value]
    return yaml.load(value, _Loader) if isinstance(value, str) else value


def _merged(values: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(values)
    for key, value in overrides.items():
        below = result.get(key)
        result[key] = _merged(below, value) if isinstance(value, Mapping) and isinstance(below, Mapping) else value
    return result


def _explained(error: ValidationError, files: Mapping[str, Any], overrides: Mapping[str, Any]) -> ConfigError:
    """All mistakes at once, each with its file, line, path, value, and what is allowed there."""
    details = sorted(error.errors(include_url=False), key=lambda item: item["type"] != "extra_forbidden")
    found = [_mistake(item, files, overrides) for item in details]
    return ConfigError("\n".join(found), remedy="config/README.md describes every setting")


def _mistake(details: Any, files: Mapping[str, Any], overrides: Mapping[str, Any]) -> str:
    location = [str(item) for item in details["loc"] if item != "[key]"]
    dotted = ".".join(location)
    where, shown = _where(dotted, files, overrides)
    value = details["input"]
    kind = details["type"]
    context = details.get("ctx", {})
    if kind == "extra_forbidden":
        known = _keys(_type_at(location[:-1]))
        close = _did_you_mean(location[-1], known)
        return f"{where}: {shown}: unknown key{close}; known keys here: {', '.join(known)}"
    if kind == "missing":
        return f"{where}: {shown}: is missing{_meaning(location)}"
    if kind == "literal_error":
        allowed = _literals(_annotation_at(location))
        close = _did_you_mean(str(value), allowed)
        return f"{where}: {shown}: {value!r} isn't allowed{close}; allowed: {', '.join(allowed)}"
    if kind == "value_error":
        return f"{where}: {shown + ': ' if shown else ''}{context['error']}"
    problem = "must be a mapping" if kind == "model_type" else details["msg"].replace("Input should", "must")
    return f"{where}: {shown}: {problem}, but it is {value!r} ({_kind(value)}){_meaning(location)}"


def _where(dotted: str, files: Mapping[str, Any], overrides: Mapping[str, Any]) -> tuple[str, str]:
    """The file (and line) or the override that a setting comes from, and its path in there."""
    value: Any = overrides
    for item in dotted.split("."):
        if not isinstance(value, Mapping):
            break
        if item not in value:
            break
        value = value[item]
    else:
        return "overrides (--config)", dotted
    prefix = max((name for name in files if dotted == name or dotted.startswith(f"{name}.") or not name), key=len)
    path, lines = files[prefix]
    inside = dotted[len(prefix) :].lstrip(".") if prefix else dotted
    known = inside
    while known and known not in lines:
        known = known.rpartition(".")[0]
    return (f"{path}, line {lines[known]}" if known else str(path)), inside


def _annotation_at(location: list[str]) -> Any:
    """The type of a setting, found by following its path through the models."""
    found: Any = Config
    for item in location:
        options = [option for option in _options(found) if option is not type(None)]
        found = options[0] if options else found
        if isinstance(found, type) and issubclass(found, BaseModel):
            field = found.model_fields.get(item)
            found = field.annotation if field else Any
        elif get_origin(found) is dict:
            found = get_args(found)[1]
        elif get_origin(found) is tuple:
            found = get_args(found)[min(int(item), len(get_args(found)) - 1)] if item.isdigit() else Any
    return found


def _options(annotation: Any) -> list[Any]:
    """The members of a union, without the `Annotated` around them."""
    while hasattr(annotation, "__metadata__"):
        annotation = annotation.__origin__
    if get_origin(annotation) in (Union, types.UnionType):
        return [option for member in get_args(annotation) for option in _options(member)]
    return [annotation]


def _type_at(location: list[str]) -> Any:
    options = [option for option in _options(_annotation_at(location)) if option is not type(None)]
    return options[0] if options else None


def _keys(model: Any) -> list[str]:
    return list(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []


def _literals(annotation: Any) -> list[str]:
    return [str(value) for option in _options(annotation) for value in get_args(option)]


def _meaning(location: list[str]) -> str:
    model = _type_at(location[:-1])
    field = model.model_fields.get(location[-1]) if isinstance(model, type) and issubclass(model, BaseModel) else None
    return f" [{field.description}]" if field is not None and field.description else ""


def _did_you_mean(word: str, known: list[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _kind(value: Any) -> str:
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "text", list: "a list"}
    return "nothing" if value is None else names.get(type(value), "a mapping" if isinstance(value, Mapping) else "")
