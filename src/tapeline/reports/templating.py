"""Pages and mails from the templates in `templates`."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
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


def render_page(name: str, *, sheets: Sequence[str] = (), **values: object) -> str:
    """Return a page that stands by itself, from the template of a name (``report``, ``plot``, ``past``) and its style.

    Behind ``page.css`` stand the style sheets named, or the one of the template's name. Its policy lets in no script
    and only its own styles, by their hash. Values that are no `Markup` are escaped.
    """
    names = ("page", *(sheets or (name,)))
    style = "".join((_FOLDER / f"{sheet}.css").read_text(encoding="utf-8") for sheet in names)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    page = templates.get_template(f"{name}.html.j2")
    return page.render(values, style=Markup(style), policy=Markup(policy))  # noqa: S704 - both are ours
