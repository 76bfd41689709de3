"""One finished report for the tests that only read it."""

from pathlib import Path

import pytest

from fca.config import Config
from fca.report.page import report
from tests.report.project import make_config, make_project

CAPTIONS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    """"double" 'single' & </style> </title> --> {{ config }} {% raw %}""",
    "\u0627\u062f\u0641\u0639 \u0627\u0644\u0643\u062a\u0644\u0629 \u202eabc",
    "x" * 5000,
    "na\u00efve \u7ea2\u8272 \U0001f7e5 bell\x07",
]


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Config, Path, str]:
    """The configuration, the page's path and its text, of a project with hostile captions."""
    config = make_config(tmp_path_factory.mktemp("finished"), report={"clips": 6})
    make_project(config, CAPTIONS)
    page = report(config)
    return config, page, page.read_text(encoding="utf-8")
