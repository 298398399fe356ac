"""Whatever a message or a log holds: it is shown, never obeyed."""

from __future__ import annotations

import logging

from hypothesis import given
from hypothesis import strategies as st

from localaws.printable import lines, log_to_terminal, printable
from localaws.rendering import render

HOSTILE = "\x1b]0;own\x07\x1b[2J\r\b\x00\x7f\x9b31m\x85\u202egpj\u2066\u200b\ufeff\u2028\ud800[/]\\"
TEXTS = st.one_of(
    st.text(st.sampled_from(HOSTILE + "A[red] \n"), min_size=1, max_size=30),
    st.text(st.characters(codec=None, exclude_categories=()), max_size=30),
    st.just(HOSTILE),
)


@given(TEXTS)
def test_only_what_prints_is_shown(text: str) -> None:
    assert printable(text).isprintable()
    for shown in (lines(text), render("page.html", title=text, text=text)):
        assert [character for character in shown if not character.isprintable() and character != "\n"] == []


@given(TEXTS)
def test_a_page_holds_text_and_no_elements_of_it(text: str) -> None:
    tag = f"<b>{text}</b>"
    assert "<b>" not in render("page.html", title=tag, text=tag)


def test_text_that_prints_stays_as_it_is() -> None:
    assert printable("Grüße, 🚀 日本 5 % é") == "Grüße, 🚀 日本 5 % é"
    assert lines("a\nb\tc") == "a\nb\\tc"


def test_a_log_is_written_so_too() -> None:
    root = logging.getLogger()
    before, root.handlers = root.handlers, []
    try:
        log_to_terminal(logging.INFO, "%(name)s %(message)s")
        (handler,) = root.handlers
        record = logging.LogRecord("delivery", logging.ERROR, __file__, 1, "refused %s", ("\x1b[2J",), None)
        assert handler.format(record) == "delivery refused \\x1b[2J"
    finally:
        root.handlers = before
