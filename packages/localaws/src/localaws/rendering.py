"""Pages of HTML from the templates beside this module: text is escaped, and what does not print is written out."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from jinja2 import Environment, PackageLoader

from localaws.printable import lines

_ENVIRONMENT = Environment(
    loader=PackageLoader("localaws"),
    autoescape=True,
    trim_blocks=True,
    finalize=lambda value: lines(value) if type(value) is str else value,
)
_STYLE = _ENVIRONMENT.get_template("mail.css").render()

STYLE_SOURCE = f"'sha256-{base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}'"
"""The one style of the pages, as a Content-Security-Policy allows it."""


def render(template: str, **values: Any) -> str:
    """Return a page."""
    return _ENVIRONMENT.get_template(template).render(style=_STYLE, **values)
