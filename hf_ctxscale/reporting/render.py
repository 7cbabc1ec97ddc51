"""render: a template filled in; HTML is escaped by itself, and Markdown with the filters ``md`` and ``fence``."""

import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

TEMPLATES = Path(__file__).parent / "templates"


def render(template: str, *, templates: Path = TEMPLATES, **contents: Any) -> str:
    """Fills in a template of a folder; a name that it uses and ``contents`` lacks is an error."""
    environment = Environment(
        loader=FileSystemLoader(templates),
        autoescape=select_autoescape(enabled_extensions=("html.j2",), default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"md": markdown_text, "fence": markdown_fence}
    return environment.get_template(template).render(**contents)


def markdown_text(text: str) -> str:
    """Text that Markdown shows as it is, in a paragraph or in a cell of a table."""
    escaped = re.sub(r"([\\`*_|#])", r"\\\1", " ".join(text.split()))
    escaped = escaped.replace("](", r"]\(").replace("]:", r"]\:").replace("][", r"]\[")
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def markdown_fence(text: str) -> str:
    """The backticks before and after code, more of them than the code has in a row."""
    return "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
