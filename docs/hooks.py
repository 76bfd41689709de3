"""The site's pages from outside docs/, and links between them (mkdocs.yml).

Pages link to each other by their paths in the repository, so that the links also work on a forge. On the site,
README.md is the first page, other pages keep their paths, and whatever else is linked comes along. What only a forge
has, the state of the checks, stays there.
"""

import os
import re
from pathlib import Path, PurePosixPath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
LINK = re.compile(r"(\]\(|\b(?:src|srcset|href)=\")([^()\s\"#]+)(#[^()\s\"]*)?(?=[)\"])")
"""Of Markdown or HTML: what comes before, the file, the anchor."""
FORGE = re.compile(r"^\[!\[.*\]\(\.\./\.\./actions/.*\)\n", re.MULTILINE)
"""A line with a badge of a workflow, by a path that leads from README.md to the repository's address on GitHub."""
BLOCK = re.compile(r"(^ *```.*?^ *```$)", re.MULTILINE | re.DOTALL)


def place(source: PurePosixPath) -> str:
    """Where a file of the repository is on the site."""
    return str(source.relative_to("docs") if source.is_relative_to("docs") else source)


def source_of(src_uri: str) -> PurePosixPath:
    """The path in the repository of a file on the site."""
    inside = PurePosixPath("docs", src_uri)
    return inside if (ROOT / inside).exists() else PurePosixPath(src_uri)


def linked(source: PurePosixPath, target: str) -> PurePosixPath | None:
    """The file of the repository that a link on the page `source` leads to; None if it leads elsewhere."""
    if re.match(r"\w+:", target):
        return None
    path = PurePosixPath(os.path.normpath(source.parent / target))
    return path if (ROOT / path).is_file() else None


def links(source: PurePosixPath) -> list[PurePosixPath]:
    """All files of the repository that a page links to, outside its blocks of code."""
    text = BLOCK.sub("", (ROOT / source).read_text())
    return [path for match in LINK.finditer(text) if (path := linked(source, match[2]))]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Bring along what pages link to outside docs/, and what those pages link to."""
    waiting = [PurePosixPath("README.md"), *(source_of(file.src_uri) for file in files.documentation_pages())]
    seen = set(waiting)
    while waiting:
        source = waiting.pop()
        if files.get_file_from_path(place(source)) is None:
            files.append(File.generated(config, place(source), abs_src_path=str(ROOT / source)))
        found = links(source) if source.suffix == ".md" else []
        waiting += [path for path in dict.fromkeys(found) if path not in seen]
        seen.update(found)
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links by paths of the repository into links by places on the site."""
    source = source_of(page.file.src_uri)
    here = PurePosixPath(page.file.src_uri).parent

    def on_the_site(match: re.Match[str]) -> str:
        path = linked(source, match[2])
        if path is None:
            return match[0]
        target = os.path.relpath(place(path), here)
        if match[1] != "](" and path.suffix == ".md":
            target = target.removesuffix(".md") + ".html"
        return f"{match[1]}{target}{match[3] or ''}"

    parts = BLOCK.split(FORGE.sub("", markdown))
    parts[::2] = [LINK.sub(on_the_site, part) for part in parts[::2]]
    return "".join(parts)
