"""The pages that people read, and what can be named in them: headings, modules, files."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src"

PAGES = sorted(
    [
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
        *(ROOT / name for name in ("config/README.md", "config/pocket-base/README.md")),
        *(ROOT / name for name in ("data/README.md", "reports/README.md")),
        *(ROOT / "docs").rglob("*.md"),
    ]
)
CODE = sorted([*SOURCE.rglob("*.py"), *(ROOT / "benchmarks").glob("*.py")])

BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"(?<!`)`([^`\n]+(?:\n[^`\n]+)?)`(?!`)")


def name(path: Path) -> str:
    """A page's or module's path in the repository."""
    return path.relative_to(ROOT).as_posix()


def blocks(text: str) -> list[str]:
    """The contents of the fenced code blocks of a page."""
    return [match[3] for match in BLOCK.finditer(text)]


def prose(text: str) -> str:
    """A page without its code blocks."""
    return BLOCK.sub("", text)


def spans(text: str) -> list[str]:
    """The inline code of a page, each on one line."""
    return [" ".join(span.split()) for span in SPAN.findall(prose(text))]


def notes(path: Path) -> str:
    """The strings and comments of a Python file, so that its imports and names don't count."""
    tokens = tokenize.generate_tokens(io.StringIO(path.read_text()).readline)
    return "\n".join(token.string for token in tokens if token.type in (tokenize.STRING, tokenize.COMMENT))


WORKFLOW = r"^\.\./\.\./actions/workflows/(\w+\.yml)(/badge\.svg)?$"
"""From a page of the repository's root on GitHub to a workflow or its badge."""


def anchors(path: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    titles = re.findall(r"^#+ +(.+?)\s*$", prose(path.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def links(path: Path) -> Iterator[tuple[Path, str]]:
    """The file and anchor that each relative link of a page leads to; of a workflow on GitHub, its file."""
    for target in re.findall(r"\]\(([^()\s]+)\)", prose(path.read_text())):
        if not re.match(r"\w+:", target):
            file, _, anchor = re.sub(WORKFLOW, r".github/workflows/\1", target).partition("#")
            yield (path.parent / file).resolve() if file else path, anchor


def exists(dotted: str, handed_on: bool = False) -> bool:
    """Whether `fca.x.y` is a module, or a name that is defined there; `handed_on`: or only imported there.

    What a package's `__init__.py` imports counts as the package's own in any case.
    """
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        module = SOURCE.joinpath(*parts[:length])
        for path in (module.with_suffix(".py"), module / "__init__.py"):
            if path.is_file():
                return _holds(path, parts[length:], handed_on)
    return False


def _holds(path: Path, names: list[str], handed_on: bool) -> bool:
    if not names:
        return True
    imported = _imported(path)
    if names[0] in imported and (handed_on or path.name == "__init__.py"):
        return exists(".".join([imported[names[0]], *names[1:]]), handed_on)
    return names[-1] in _defined(path, tuple(names[:-1]))


@cache
def _imported(path: Path) -> dict[str, str]:
    """The module and name behind each name that a module imports, or lists for a lazy import."""
    tree = ast.parse(path.read_text())
    found = dict(re.findall(r'"(\w+)": "(fca\.[\w.]+)"', path.read_text())) if path.name == "__init__.py" else {}
    found = {name: f"{module}.{name}" for name, module in found.items()}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            found |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return found


@cache
def _defined(path: Path, within: tuple[str, ...]) -> set[str]:
    """Names defined at the top of a module, or in a class of it."""
    body = ast.parse(path.read_text()).body
    for outer in within:
        body = next((node.body for node in body if isinstance(node, ast.ClassDef) and node.name == outer), [])
    names: set[str] = set()
    for node in body:
        for inner in ast.walk(node) if within else [node]:  # in a class also what its methods assign to self
            match inner:
                case ast.FunctionDef(name=defined) | ast.ClassDef(name=defined):
                    names.add(defined)
                case ast.Assign(targets=targets):
                    names |= {_target(target) for target in targets}
                case ast.AnnAssign(target=target):
                    names.add(_target(target))
    return names


def _target(node: ast.expr) -> str:
    """The name that is assigned to: `x`, or `self.x`."""
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
