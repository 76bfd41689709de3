"""Put configuration files together: what a file extends, several files, variants, and overrides."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fca.config.lookup import accepts_null
from fca.config.shipped import CONFIGURATIONS, located
from fca.config.yaml_file import ConfigError, Layer, Location, overrides_layer, read
from fca.errors import did_you_mean


def compose(files: Iterable[Path], overrides: Mapping[str, Any]) -> Layer:
    """The settings of all files, a later one over those before it, with `overrides` over them all.

    A relative file that isn't in the working directory is taken from the repository.

    Mappings are merged key by key; any other value, a list too, replaces the one below it. `null` removes what is
    below it (a dataset goes, a setting has its default again), unless null is itself a value of that setting.

    Raises:
        ConfigError: a file or a variant can't be found or read, or files extend each other in a circle.
    """
    composed, folders = Layer(), [CONFIGURATIONS]
    for file in files:
        for path, layer in reversed(_extended_files(located(file))):
            folders[:0] = _folders(path)
            composed = _put_over(composed, layer, folders)
    return _put_over(composed, overrides_layer(overrides), folders)


def _extended_files(path: Path) -> list[tuple[Path, Layer]]:
    """A file and those it extends, itself first."""
    chain: list[tuple[Path, Layer]] = []
    while True:
        layer = read(path)
        chain.append((path, layer))
        name = layer.values.pop("extends", None)
        if name is None:
            return chain

        origin = layer.origins[("extends",)]
        if not isinstance(name, str):
            raise ConfigError(f"{origin}: extends: {name!r} is no file name", "one file, such as paper.yaml")
        folders = [*_folders(path), CONFIGURATIONS]
        found = [file for folder in folders if (file := Path(os.path.normpath(folder / name))).is_file()]
        if not found:
            known = sorted({file.name for folder in folders for file in folder.glob("*.yaml")})
            raise ConfigError(
                f"{origin}: extends: there is no file {name}{did_you_mean(name, known)}",
                f"a path relative to {path.parent}, or the name of a file in {CONFIGURATIONS}",
            )

        # A copy of a shipped file may extend the original by its own name.
        file = next((file for file in found if not file.samefile(path)), path)
        if any(file.samefile(seen) for seen, _ in chain):
            circle = " -> ".join(str(seen) for seen in (*(seen for seen, _ in chain), file))
            raise ConfigError(f"{origin}: extends: files extend each other in a circle: {circle}")
        path = file


def _folders(path: Path) -> list[Path]:
    """The folder of a file; of a link, also that of the file which it leads to."""
    return list(dict.fromkeys([path.parent, path.resolve().parent] if path.is_symlink() else [path.parent]))


def _put_over(below: Layer, above: Layer, folders: Sequence[Path]) -> Layer:
    """Merge two layers; where `above` lists variants, they replace those below and are read from `folders`."""
    for group in ("variants", "ablations"):
        names = above.values.get(group)
        if isinstance(names, list):
            below.values.pop(group, None)
            variants = {name: _variant(above, (group, str(number)), name, folders) for number, name in enumerate(names)}
            above.values[group] = {name: variant.values for name, variant in variants.items()}
            for variant in variants.values():
                above.origins.update(variant.origins)

    replaced: set[Location] = set()
    removed: set[Location] = set()
    values = _merged(below.values, above.values, (), replaced, removed)
    kept = {location: origin for location, origin in below.origins.items() if not _is_inside(location, replaced)}
    new = {location: origin for location, origin in above.origins.items() if not _is_inside(location, removed)}
    return Layer(values, kept | new)


def _merged(
    below: Mapping[str, Any],
    above: Mapping[str, Any],
    location: Location,
    replaced: set[Location],
    removed: set[Location],
) -> dict[str, Any]:
    result = dict(below)
    for key, value in above.items():
        here, old = (*location, str(key)), below.get(key)
        if isinstance(value, Mapping) and isinstance(old, Mapping):
            result[key] = _merged(old, value, here, replaced, removed)
            continue

        replaced.add(here)
        if value is None and key in below and not accepts_null(here):
            removed.add(here)
            del result[key]
        else:
            result[key] = value
    return result


def _is_inside(location: Location, groups: set[Location]) -> bool:
    return any(location[:length] in groups for length in range(1, len(location) + 1))


def _variant(layer: Layer, location: Location, name: Any, folders: Sequence[Path]) -> Layer:
    """Read the variant that a list names at `location`, from the first folder that has it."""
    group = location[0]
    files = {file.stem: file for folder in reversed(folders) for file in (folder / "variants").glob("*.yaml")}
    if not isinstance(name, str) or name not in files:
        raise ConfigError(
            f"{layer.origins[location]}: {group}: there is no variant {name!r}{did_you_mean(str(name), files)}",
            f"names of files in {', '.join(str(folder / 'variants') for folder in dict.fromkeys(folders))}: "
            f"{', '.join(sorted(files))}",
        )
    variant = read(files[name], (group, name))
    if variant.values.get("name") != name:
        raise ConfigError(f"{files[name]}: name is {variant.values.get('name')!r}", f"the file's own name, {name!r}")
    return variant
