"""Generate the JSON schema and the table of settings from the models.

`python -m fca.config.table --fix` writes both files; a test fails while they differ from the models.
"""

import json
import sys
from pathlib import Path
from typing import Any

from fca.config.models import Config
from fca.config.variant import Variant

SCHEMA_FILE = Path("workflow/schemas/config.schema.json")
TABLE_FILE = Path("config/README.md")

HEAD = """\
# Settings

Generated from `src/fca/config/{models,dataset,train,variant,vbench}.py` by `python -m fca.config.table --fix`.

A scale is one file: `pocket.yaml` (the default), `pocket-scratch.yaml`, `pocket-folder.yaml` (your own videos, with the
pocket scale's networks) or `paper.yaml`. Choose it with `snakemake all --configfile FILE`. Unknown keys are refused.
Changing a value reruns what depends on it, and nothing else.

**A configuration of your own** names the file that it extends and holds only what differs:

```yaml
extends: paper.yaml # a path relative to this file, or the name of a file in config/
scale: mine
sample: {guidance_scale: 4.0}
datasets: {epic: null}
```

- Mappings are merged key by key. Any other value, a list too, replaces the value in the extended file.
- `null` removes what the extended file says: a dataset or variant goes, and a setting has its default again. If `null`
  is itself a value of the setting, such as of `train.init_from`, it is that value.
- `variants` and `ablations` are lists of names: of `variants/NAME.yaml` next to the file with the list, else next to
  the files that it extends, else in `config/`. A list replaces the extended file's list; a mapping changes single
  settings: `variants: {fca: {init_scale: 0.2}}`.
- `snakemake all --configfile A B` merges files, the later over the earlier, and `--config "seed=7"` changes values.
- A relative path of a network, such as `config/pocket-base`, is looked for in the working directory, then in the
  repository.

`fca config show -c FILE` prints all settings with the file and line of each; `fca config check FILE` checks them.
"""
EXTENDS = "Configuration that this file extends: a path relative to this file, or the name of a file in config/"
COLUMNS = ["| key | value | default | meaning |", "|---|---|---|---|"]


def schema() -> str:
    """The JSON schema of a configuration file, in which nothing is required: it may extend another file."""
    found = _partial(Config.model_json_schema()) | {"type": "object"}
    for group in ("variants", "ablations"):
        whole = found["properties"][group]
        names = {"type": "array", "items": {"type": "string"}}
        found["properties"][group] = {"description": whole.pop("description"), "anyOf": [names, whole]}
    found["properties"] = {"extends": {"description": EXTENDS, "type": "string"}, **found["properties"]}
    found = {"$schema": "https://json-schema.org/draft/2020-12/schema", **found}
    return json.dumps(found, indent=2) + "\n"


def _partial(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema in which no setting is required and each may be null, which removes what the extended file says."""
    partial = {key: value for key, value in schema.items() if key not in ("required", "minProperties")}
    for key in ("$defs", "properties", "patternProperties"):
        if key in partial:
            partial[key] = {name: _partial(value) for name, value in partial[key].items()}
    if "type" in partial:
        partial["type"] = [partial["type"], "null"]
    if "enum" in partial:
        partial["enum"] = [*partial["enum"], None]
    return partial


def table() -> str:
    """The settings of every group, as Markdown tables."""
    whole = Config.model_json_schema()
    parts = [HEAD]
    groups = [("Top level", "", whole), ("`variants/*.yaml`", "", Variant.model_json_schema())]
    while groups:
        title, path, group = groups.pop(0)
        rows, below = _rows(path, group, whole["$defs"])
        text = " ".join(group["description"].split())
        parts.append("\n".join([f"## {title}", "", text, "", *COLUMNS, *rows]) + "\n")
        groups = below + groups
    return "\n".join(parts)


def _rows(path: str, group: dict, definitions: dict) -> tuple[list[str], list[tuple[str, str, dict]]]:
    """The rows of a group's table, and the groups below it."""
    rows, below = [], []
    for key, setting in group["properties"].items():
        name, inner = _group(f"{path}.{key}" if path else key, setting, definitions)
        if inner is None:
            kind = _kind(setting)
        elif inner["title"] == "Variant":
            kind = "list of names"
        else:
            kind = f"see `{name}`"
            below.append((f"`{name}`", name, inner))
        default = "required" if key in group.get("required", []) else f"`{json.dumps(setting.get('default'))}`"
        rows.append(f"| `{key}` | {kind} | {default} | {setting['description']} |")
    return rows, below


def _group(name: str, setting: dict, definitions: dict) -> tuple[str, dict | None]:
    """The group of settings that a key holds and the path to it, or None for a single value."""
    for option in [setting, *setting.get("anyOf", [])]:
        if "$ref" in option:
            return name, definitions[option["$ref"].rpartition("/")[2]]
        for values in option.get("patternProperties", {}).values():
            if "$ref" in values:
                return f"{name}.NAME", definitions[values["$ref"].rpartition("/")[2]]
    return name, None


def _kind(setting: dict[str, Any]) -> str:
    if "anyOf" in setting:
        return " or ".join(_kind(option) for option in setting["anyOf"])
    if "enum" in setting:
        return ", ".join(f"`{value}`" for value in setting["enum"])
    if "prefixItems" in setting:
        return "list: " + "; ".join(_kind(item) for item in setting["prefixItems"])
    names = {"integer": "whole number", "number": "number", "string": "text", "boolean": "`true`, `false`"}
    names |= {"null": "`null`", "object": "mapping", "array": "list"}
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    limits = [f"{sign} {setting[key]}" for key, sign in signs.items() if key in setting]
    limits += [f"multiple of {setting['multipleOf']}"] if "multipleOf" in setting else []
    return " ".join([names[setting["type"]], ", ".join(limits)]).strip()


def main() -> int:
    """Check the generated files, or write them with --fix."""
    status = 0
    for path, text in ((SCHEMA_FILE, schema()), (TABLE_FILE, table())):
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        if "--fix" in sys.argv[1:]:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            print(f"{path}: written")
        else:
            print(f"{path}: differs; run: python -m fca.config.table --fix", file=sys.stderr)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
