"""Whatever a payload, a symbol, a reason or a log says: it is shown, never obeyed."""

from __future__ import annotations

import email.policy
import io
import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from email.parser import BytesParser
from pathlib import Path

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st

from localaws.mail import Mailbox
from tapeline.aws import printable
from tapeline.aws.notify import mail_subject, mail_text
from tapeline.aws.printable import LogFormatter, json_text
from tapeline.cli import errors, query_output, show
from tapeline.cli.terminal import Terminal
from tapeline.lake.athena import Column
from tapeline.laptop import parts
from tapeline.operations.dead_letters import Letter
from tapeline.operations.health import Readings
from tapeline.operations.ledger import DIFFERENCES, Counts
from tapeline.operations.light import Colour, Light
from tapeline.operations.reconcile import Difference, Reconciliation
from tapeline.operations.rejected import Redrive, describe

NOW = datetime(2026, 3, 12, 14, 30, tzinfo=UTC)
HOSTILE = "\x1b]0;own\x07\x1b[2J\r\b\x00\x7f\x9b31m\x85\u202egpj\u2066\u200b\ufeff\u2028\ud800[/]\\"

texts = st.one_of(
    st.text(st.sampled_from(HOSTILE + "A[red] \n"), min_size=1, max_size=30),
    st.text(st.characters(codec=None, exclude_categories=()), max_size=30),
    st.just(HOSTILE),
)


def written(show_it: Callable[[Terminal], object]) -> str:
    file = io.StringIO()
    show_it(Terminal(file=file, soft_wrap=True, highlight=False, width=160))
    return file.getvalue()


def status(text: str) -> str:
    lights = [Light("quotes", Colour.RED, text, next_step=text, log=(text,))]
    return written(lambda console: show.status(console, Readings(at=NOW, parts=[], measured=False), lights))


def tail(text: str) -> str:
    item = {
        "symbol": {"S": text},
        "timestamp": {"S": "2026-03-12T14:30:00Z"},
        "price": {"N": "1000000000000"},
        "change_percent": {"NULL": True},
        "moving_average": {"NULL": True},
        "suspect": {"L": [{"S": text}]},
    }
    return written(lambda console: console.print(show.quote_line(item)))


def reconcile(text: str) -> str:
    counts = Counts(1, 1, 1, 0, 1, 1, 0, {text: 1})
    differences = [Difference(name, 2, [text]) for name in DIFFERENCES]
    result = Reconciliation(counts, 0, differences, [text])
    return written(lambda console: show.reconciliation(console, result))


def redrive(text: str) -> str:
    data = text.encode("utf-8", "surrogatepass")
    letter = Letter(text, text, text, 1, text)
    return Redrive(True, {text: 1}, {}, {text: (describe(data, text, text),)}, ((letter, text),), {text: 1}).summary


def query(text: str) -> str:
    columns = [Column("symbol", "varchar"), Column(text, "varchar")]
    return written(lambda console: query_output.print_table(console, columns, [(text, text)]))


def log(text: str) -> str:
    record = logging.LogRecord("producer", logging.ERROR, __file__, 1, "refused %s", (text,), None)
    return LogFormatter("%(name)s %(message)s").format(record)


RENDERED = [status, tail, reconcile, redrive, query, log, mail_subject, mail_text, json_text]


@pytest.mark.parametrize("render", RENDERED, ids=lambda render: render.__name__)
@settings(deadline=None, max_examples=50)
@given(text=texts)
def test_only_what_prints_is_written(render: Callable[[str], str], text: str) -> None:
    shown = render(text)

    assert [character for character in shown if not character.isprintable() and character != "\n"] == []


@settings(deadline=None, max_examples=50)
@given(text=texts)
def test_a_subject_is_one_that_sns_takes(text: str) -> None:
    subject = mail_subject(text)

    assert subject.isascii()
    assert subject.isprintable()
    assert 0 < len(subject) < 100
    assert not subject[0].isspace()


def test_text_that_prints_stays_as_it_is() -> None:
    assert printable.printable("Grüße, 🚀 日本 5 % é") == "Grüße, 🚀 日本 5 % é"
    assert mail_text("a\nb\tc") == "a\nb\\tc"


def test_an_error_and_a_log_s_last_lines_are_shown_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.log").write_bytes(b"\x1b[2Jcleared\n[/] \xff\x9b\n")
    assert parts.last_lines(tmp_path / "a.log") == ["\\x1b[2Jcleared", "[/] \ufffd\ufffd"]

    monkeypatch.setattr(errors, "errors", Terminal(file=sys.stderr, soft_wrap=True))
    cli = typer.Typer(cls=errors.Commands)

    @cli.command()
    def command() -> None:
        raise errors.CommandError(HOSTILE)

    @cli.command()
    def another() -> None:
        """A second command, without which the first has no group."""

    with pytest.raises(SystemExit) as exit_:
        cli(["command"])
    assert exit_.value.code == 1
    shown = capsys.readouterr().err
    assert shown.startswith("Error: ")
    assert "\x1b" not in shown


def test_csv_on_a_terminal_is_shown_and_in_a_pipe_is_as_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for is_terminal in (True, False):
        monkeypatch.setattr(sys.stdout, "isatty", lambda is_terminal=is_terminal: is_terminal, raising=False)
        query_output.write(query_output.Format.CSV, None, [Column("a", "varchar")], [("\x1b[2J",)])

    assert capsys.readouterr().out == "a\n\\x1b[2J\na\n\x1b[2J\n"


def test_a_mail_s_subject_and_text_survive_the_mailbox(tmp_path: Path) -> None:
    path = Mailbox(tmp_path).deliver("a@example.com", HOSTILE, mail_subject(HOSTILE), mail_text(HOSTILE), [])
    message = BytesParser(policy=email.policy.default).parsebytes(path.read_bytes())

    assert message["Subject"] == mail_subject(HOSTILE)
    assert message.get_content().strip() == mail_text(HOSTILE)
