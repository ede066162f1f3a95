"""Pages of the site that are made from the project's other documents and from its code.

A link to a document that has a page leads to that page; one to another file of the project becomes
the file's path.
"""

import posixpath
import re
import sys
from pathlib import Path, PurePosixPath

from mkdocs.structure.files import File, Files

PROJECT = Path(__file__).parents[2]
sys.path.insert(0, str(Path(__file__).parent))

import reference  # noqa: E402 (MkDocs reads a hook as a file: its folder is no package)

ELSEWHERE = {
    "index.md": "README.md",
    "reproduce.md": "REPRODUCE.md",
    "configuration.md": "config/README.md",
    "cluster.md": "slurm/README.md",
    "benchmarks_guide.md": "tests/benchmarks/README.md",
}
"""Pages made of documents outside docs/, with their paths from the project's folder."""

LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")
CODE = re.compile(r"(```.*?```)", re.DOTALL)


def on_files(files: Files, config) -> Files:
    """Add the pages that are no files of docs/."""
    pages = {page: (PROJECT / source).read_text("utf-8") for page, source in ELSEWHERE.items()}
    pages |= {f"reference/{name}.md": make() for name, make in reference.PAGES.items()}
    for path, text in pages.items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, page, config, files: Files) -> str:
    """Turn links to files of the project into links of the site."""
    path = page.file.src_uri
    source = PurePosixPath(ELSEWHERE.get(path, f"docs/{path}"))
    pages = {f"docs/{file.src_uri}": file.src_uri for file in files}
    pages |= {original: made for made, original in ELSEWHERE.items()}

    def relink(match: re.Match) -> str:
        mark, text, target = match.groups()
        name, hash_, anchor = target.partition("#")
        if not name or "://" in target:
            return match[0]
        found = posixpath.normpath(posixpath.join(source.parent, name))
        if found in pages:
            start = PurePosixPath(path).parent.as_posix()
            link = posixpath.relpath(pages[found], start)
            return f"{mark}[{text}]({link}{hash_}{anchor})"
        if not (PROJECT / found).exists():
            return match[0]
        return text if found in text else f"{text} (`{found}`)"

    parts = CODE.split(markdown)
    return "".join(part if part.startswith("```") else LINK.sub(relink, part) for part in parts)
