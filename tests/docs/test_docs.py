"""What pages and docstrings name is real: modules, files, tests, links, anchors, numbers of rows, the paper."""

import re
import tomllib
from collections.abc import Callable, Iterable
from itertools import product
from pathlib import Path

import yaml

from tests.docs.pages import CODE, PAGES, ROOT, anchors, exists, links, name, notes, prose, spans

MODULE = re.compile(r"(?<![\w./-])fca(?:\.[A-Za-z_]\w*)+")
NO_MODULE = {"fca.main", "fca.json", "fca.yaml", "fca.h5"}

FOLDERS = "src|config|workflow|docs|tests|scripts|benchmarks|profiles"
SHIPPED = re.compile(rf"(?<![\w./:{{~-])(?:{FOLDERS})/[\w./*{{}},-]*\w[*/]?")
SOURCE_FILE = re.compile(r"(?<![\w./:{-])(?:[\w.*{},-]+/)*[\w.*{},-]+\.(?:py|smk|sh|j2|js|css)\b(?!/)")

EXAMPLES = {"config/arm.yaml", "config/mine.yaml", "config/ssv2-exclude.tsv", "take.py"}
"""Files that a reader would write."""

FOREIGN = {"videogpt/download.py"}
"""Files of other projects."""


def wrong(paths: Iterable[Path], find: Callable[[Path], Iterable[str]]) -> dict[str, list[str]]:
    """What `find` finds wrong in each page or module, if anything."""
    found = {name(path): sorted(set(find(path))) for path in paths}
    return {path: items for path, items in found.items() if items}


def text_of(path: Path) -> str:
    """A page, or the strings and comments of a module; without addresses."""
    text = path.read_text() if path.suffix == ".md" else re.sub(r"\{[^{}\n]*\}", "*", notes(path))
    return re.sub(r"https?://\S+", "", text)


def test_modules_and_their_names_exist() -> None:
    def find(path: Path) -> list[str]:
        lines = re.findall(r"^ *from (fca[\w.]*) import (.+)$", text_of(path), re.MULTILINE)
        imported = {f"{module}.{item.strip()}" for module, items in lines for item in items.split(",")}
        named = set(MODULE.findall(text_of(path))) - NO_MODULE
        return [dotted for dotted in named if not exists(dotted)] + [
            dotted for dotted in imported if not exists(dotted, handed_on=True)
        ]

    assert wrong([*PAGES, *CODE], find) == {}


def test_a_module_that_moved_would_be_found() -> None:
    assert exists("fca.train.trainer")
    assert exists("fca.config.Layout.scores")
    assert not exists("fca.train.loops")
    assert not exists("fca.train.loop.TrainingModel")  # it is imported there and defined elsewhere


def written_out(pattern: str) -> list[str]:
    """`a_{b,c}.py` as two names."""
    parts = re.split(r"\{([^{}]*)\}", pattern)
    choices = [part.split(",") if number % 2 else [part] for number, part in enumerate(parts)]
    return ["".join(choice) for choice in product(*choices)]


def is_file(path: Path, named: str) -> bool:
    """Whether a name stands for something in the repository, seen from a page or from a folder that names begin in."""
    starts = [ROOT, path.parent, *(ROOT / start for start in ("tests", "src/fca", "workflow"))]
    if any(next(start.glob(named.rstrip("/")), None) for start in starts):
        return True
    everywhere = [ROOT / folder for folder in ("src", "tests", "workflow", "benchmarks")]
    return "/" not in named and any(next(start.rglob(named), None) for start in everywhere)


def test_files_exist() -> None:
    def find(path: Path) -> list[str]:
        text = text_of(path)
        if path.suffix == ".md":
            named = {*SHIPPED.findall(text), *SOURCE_FILE.findall(text)} - FOREIGN
        else:  # where a string may also be half of a path
            named = {item for item in SHIPPED.findall(text) if re.search(r"\.\w+$", item) or item.startswith("docs/")}
        named = {item.rstrip(".,") for item in named} - EXAMPLES
        return [item for pattern in named for item in written_out(pattern) if not is_file(path, item)]

    assert wrong([*PAGES, *CODE], find) == {}


def test_tests_exist() -> None:
    defined = "\n".join(test.read_text() for test in (ROOT / "tests").rglob("*.py"))

    def find(page: Path) -> list[str]:
        named = {span for span in spans(page.read_text()) if re.fullmatch(r"test_\w+", span)}
        return [test for test in named if f"def {test}(" not in defined]

    assert wrong(PAGES, find) == {}


def test_links_and_anchors_lead_somewhere() -> None:
    def find(page: Path) -> list[str]:
        dead = [(file, anchor) for file, anchor in links(page) if not file.exists()]
        whole = [(file, anchor) for file, anchor in links(page) if file.exists() and anchor]
        dead += [(file, anchor) for file, anchor in whole if anchor not in anchors(file)]
        return [f"{file}#{anchor}" for file, anchor in dead]

    assert wrong(PAGES, find) == {}


def test_every_page_can_be_reached_from_the_first() -> None:
    seen, todo = set(), [ROOT / "README.md"]
    while todo:
        page = todo.pop()
        if page not in seen and page.suffix == ".md":
            seen.add(page)
            todo += [file for file, _ in links(page)]
    assert {name(page) for page in set(PAGES) - seen} == set()


def test_what_is_done_for_speed_is_done_where_the_page_says() -> None:
    """Each row of the table names something in code style, and one of the row's modules has it."""
    table = (ROOT / "docs/performance.md").read_text().partition("| | where |\n")[2].partition("\n\n")[0]
    rows = [row.strip("| ").split(" | ") for row in table.splitlines()[1:]]
    assert len(rows) > 5
    for what, where in rows:
        modules = re.findall(r"`(fca(?:\.[a-z_0-9]+)+)", where)
        sources = "".join((ROOT / f"src/{module.replace(chr(46), chr(47))}.py").read_text() for module in modules)
        named = [span.rpartition(".")[2] for span in re.findall(r"`([\w.]+)`", what)]
        assert named, f"nothing in this row can be looked for: {what}"
        assert [item for item in named if item not in sources] == [], what


def test_deviations_are_numbered_once_and_in_order() -> None:
    numbers = re.findall(r"^\| (\d+) \|", (ROOT / "docs/deviations.md").read_text(), re.MULTILINE)
    assert [int(number) for number in numbers] == list(range(1, len(numbers) + 1))


def test_the_paper_is_cited_alike() -> None:
    paper = yaml.safe_load((ROOT / "CITATION.cff").read_text())["preferred-citation"]
    initials = "".join(re.findall(r"\b[A-Z]", paper["journal"]))
    for page in (ROOT / "README.md", ROOT / "docs/paper-to-code.md"):
        text = " ".join(page.read_text().split())
        assert paper["title"] in text, name(page)
        assert f"({initials} {paper['year']})" in text, name(page)


def test_there_is_one_version() -> None:
    version = re.search(r'__version__ = "(.+)"', (ROOT / "src/fca/__init__.py").read_text())[1]
    assert (
        tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["version"]["path"]
        == "src/fca/__init__.py"
    )
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == version
    assert re.findall(r"^## \[(\d\S*)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)[0] == version


def test_how_long_a_target_takes_is_said_once() -> None:
    said: dict[str, set[str]] = {}
    for page in {*PAGES} - {ROOT / "CHANGELOG.md", ROOT / "docs/log.md"}:
        for target in re.findall(r"\bmake ([\w-]+)`?[^\n|]*?\d+ minutes", page.read_text()):
            said.setdefault(target, set()).add(name(page))
    assert {"demo", "test"} <= said.keys()
    assert {target: pages for target, pages in said.items() if len(pages) > 1} == {}


DIALECT = re.compile(
    r"\b(in silence|mend(s|ed|ing)?|readings|given frames?|made again|makes? (it|them|these|both) again|the truth"
    r"|VAE's (own )?floor|beside|not whole|in nobody's way|by hand)\b"
)


def test_pages_use_the_words_of_the_field() -> None:
    """None of the words of this project's own that have a standard one."""

    def find(page: Path) -> list[str]:
        return [match[0] for match in DIALECT.finditer(re.sub(r"`[^`]*`", "", prose(page.read_text())))]

    assert wrong(PAGES, find) == {}
