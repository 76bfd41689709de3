"""Find the type and the meaning of a setting by its location in the models."""

import types
from collections.abc import Sequence
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from fca.config.models import Config


def annotation_at(location: Sequence[str]) -> Any:
    """The type of the setting at a location; `Any` if there is no such setting."""
    found: Any = Config
    for item in location:
        found = _first_option(found)
        if isinstance(found, type) and issubclass(found, BaseModel):
            setting = found.model_fields.get(item)
            found = setting.annotation if setting else Any
        elif get_origin(found) is dict:
            found = get_args(found)[1]
        elif get_origin(found) is tuple:
            found = get_args(found)[min(int(item), len(get_args(found)) - 1)] if item.isdigit() else Any
    return found


def settings_at(location: Sequence[str]) -> dict[str, FieldInfo]:
    """The settings of the group at a location, by name; empty if there is no group."""
    model = _first_option(annotation_at(location))
    return model.model_fields if isinstance(model, type) and issubclass(model, BaseModel) else {}


def accepts_null(location: Sequence[str]) -> bool:
    """Whether null is among the values of the setting at a location."""
    return type(None) in _options(annotation_at(location))


def choices_at(location: Sequence[str]) -> list[str]:
    """The values that a setting of fixed choices may have."""
    return [str(value) for option in _options(annotation_at(location)) for value in get_args(option)]


def meaning(location: Sequence[str]) -> str:
    """The description of the setting at a location, in brackets."""
    setting = settings_at(location[:-1]).get(location[-1])
    return f" [{setting.description}]" if setting is not None and setting.description else ""


def _first_option(annotation: Any) -> Any:
    return next((option for option in _options(annotation) if option is not type(None)), annotation)


def _options(annotation: Any) -> list[Any]:
    """The members of a union, without the `Annotated` around them."""
    while hasattr(annotation, "__metadata__"):
        annotation = annotation.__origin__
    if get_origin(annotation) in (Union, types.UnionType):
        return [option for member in get_args(annotation) for option in _options(member)]
    return [annotation]
