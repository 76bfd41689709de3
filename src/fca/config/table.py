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

HEAD = Path(__file__).with_name("table.md")
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
    parts = [HEAD.read_text(encoding="utf-8")]
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
        text = " ".join(setting["description"].split())
        rows.append(f"| `{key}` | {kind} | {default} | {text} |")
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
