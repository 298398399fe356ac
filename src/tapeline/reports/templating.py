"""Pages and mails from the templates in `templates`."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

_FOLDER = Path(__file__).parent / "templates"

templates = Environment(
    loader=FileSystemLoader(_FOLDER),
    autoescape=select_autoescape(("html.j2",)),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


def render_page(name: str, **values: object) -> str:
    """Return a page that stands by itself: no script, and its style sheet in it.

    Its policy lets nothing in but that style sheet, known by its hash.

    Parameters
    ----------
    name : str
        Of the template and the style sheet, ``report`` or ``plot``.
    values : object
        What the template shows; all that is no `Markup` is escaped.
    """
    style = "".join((_FOLDER / file).read_text(encoding="utf-8") for file in ("page.css", f"{name}.css"))
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    page = templates.get_template(f"{name}.html.j2")
    return page.render(values, style=Markup(style), policy=Markup(policy))  # noqa: S704 - both are ours
