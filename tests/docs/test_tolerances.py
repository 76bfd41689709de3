"""Each tolerance that docs/score-videos.md states is one that the named test applies."""

import ast
import re

from tests.docs.pages import ROOT


def test_tolerances_are_those_of_the_tests() -> None:
    functions = {
        node.name: ast.get_source_segment(text, node) or ""
        for path in (ROOT / "tests/score").glob("test_*.py")
        for text in [path.read_text()]
        for node in ast.parse(text).body
        if isinstance(node, ast.FunctionDef)
    }
    page = (ROOT / "docs/score-videos.md").read_text()
    rows = re.findall(r"^\| .+ \| .+ \| (.+) \| `(test_\w+)` \|$", page, re.MULTILINE)
    assert len(rows) == page.count("`test_")
    for stated, test in rows:
        numbers = re.findall(r"`([\d.e-]+)`", stated)
        assert numbers or stated.startswith("none"), test
        assert [number for number in numbers if number not in functions[test]] == [], test
