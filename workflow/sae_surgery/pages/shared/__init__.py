"""What the HTML pages share: their frame, one look, and Markdown as such a page.

A page needs no other file: its style and script stand in it, its figures are data or lie beside it.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jinja2
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markupsafe import Markup

FOLDER = Path(__file__).parent


def render(template: Path, filters: dict[str, Callable[..., str]] | None = None, **values) -> str:
    """Fill in a template, which may extend `base.html.jinja`; a name that is missing is an error.

    Parameters
    ----------
    template
        The template's file.
    filters
        What it calls to write values, by name.
    values
        What it names.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([template.parent, FOLDER]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= filters or {}
    environment.globals["region"] = region
    return environment.get_template(template.name).render(values)


def region(label: str) -> Markup:
    """Return what opens a `div` for a table that may be wider than the page.

    It scrolls by itself, by the keyboard as well.
    """
    return Markup('<div class="scroll" role="region" aria-label="{}" tabindex="0">').format(label)


def as_page(markdown: str, title: str) -> str:
    """Return a page of Markdown as HTML: the same words, each table in a `region`.

    Parameters
    ----------
    markdown
        The text, with tables as GitHub writes them. HTML in it is shown, not obeyed.
    title
        Title of the page's window.
    """
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    parser.add_render_rule("table_open", _open_table)
    parser.add_render_rule("table_close", _close_table)
    return render(FOLDER / "text.html.jinja", title=title, text=Markup(parser.render(markdown)))


def words(markdown: str) -> Markup:
    """Return a sentence with Markdown in it as HTML."""
    return Markup(MarkdownIt("commonmark", {"html": False}).renderInline(markdown))


def _open_table(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: Any
) -> str:
    """Open a table in a region that is called as the heading above it."""
    headings = [tokens[i + 1].content for i in range(index) if tokens[i].type == "heading_open"]
    return f"{region((headings or ['Table'])[-1])}<table>\n"


def _close_table(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: Any
) -> str:
    return "</table></div>\n"
