"""How templates become pages: every value is escaped, nothing is undefined, and only our own style and script may run.

Captions, ids, paths and the contents of manifests are untrusted. jinja2 escapes all of them, and a content security
policy lets a page use its own style and script (by hash), the files next to it, and nothing else.
"""

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from fca.report.format import signed

TEMPLATES = Path(__file__).parent / "templates"
CONTROLS = dict.fromkeys({*range(32), *range(127, 160)} - {9, 10}, "\N{REPLACEMENT CHARACTER}")


def render(
    template: str,
    styles: Sequence[str] = ("page.css",),
    scripts: Sequence[str] = ("page.js",),
    folder: Path = TEMPLATES,
    **values: Any,
) -> str:
    """A page as text, from files in `folder`."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=plain,
    )
    environment.filters |= {"breakable": breakable, "signed": signed}
    style, script = (
        "".join((folder / name).read_text(encoding="utf-8") for name in names) for names in (styles, scripts)
    )
    return environment.get_template(template).render(
        values,
        style=Markup(style),
        style_hash=source_hash(style),
        script=Markup(script),
        script_hash=source_hash(script),
    )


def plain(value: Any) -> Any:
    """Text without control characters and lone surrogates; everything else unchanged."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return value.translate(CONTROLS).encode("utf-8", "replace").decode("utf-8")


def breakable(text: str) -> Markup:
    """A long identifier that may break after its underscores and slashes."""
    escaped = str(Markup.escape(plain(text)))
    return Markup(escaped.replace("_", "_<wbr>").replace("/", "/<wbr>"))


def source_hash(text: str) -> str:
    """The hash by which a content security policy identifies an inline style or script."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
