"""The mailbox: one folder per address, one .eml file per message; `python -m localaws.mail` lists and shows them."""

from __future__ import annotations

import argparse
import email.policy
import hashlib
import hmac
import re
import secrets
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.parser import BytesParser
from email.utils import format_datetime
from pathlib import Path
from urllib.parse import quote

from localaws import settings
from localaws.printable import lines, printable

ADDRESS = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-][A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{0,63}@[A-Za-z0-9][A-Za-z0-9.-]{0,252}"
)
"""What mail is delivered to: no more of RFC 5321 than people use."""

PAGE = "/_localaws/mail"
SENDER = "no-reply@sns.amazonaws.com"


@dataclass(frozen=True, slots=True)
class Message:
    """A message in the mailbox.

    Attributes
    ----------
    number : int
        Its place in the mailbox by time, from 1; it stays as long as nothing is deleted.
    """

    number: int
    path: Path
    address: str
    sent_at: str
    subject: str
    text: str


class Mailbox:
    """All mail that was delivered on this machine, in a folder with a folder for each address."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def deliver(
        self, address: str, sender_name: str, subject: str, text: str, headers: Iterable[tuple[str, str]]
    ) -> Path:
        """Put a message of plain text into an address's folder; it appears there whole.

        Raises
        ------
        ValueError
            If the address is none.
        """
        if not ADDRESS.fullmatch(address):
            raise ValueError(f"expected an address such as you@example.com, found {address!r}")
        now = datetime.now(UTC)
        message = EmailMessage(policy=email.policy.SMTP)
        message["From"] = f'"{_one_line(sender_name)}" <{SENDER}>'
        message["To"] = address
        message["Subject"] = _one_line(subject)
        message["Date"] = format_datetime(now)
        message["Message-ID"] = f"<{secrets.token_hex(16)}@localaws>"
        for name, value in headers:
            message[name] = _one_line(value)
        message.set_content(text)
        folder = self._folder / quote(address, safe="@+")
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{now:%Y-%m-%dT%H-%M-%S.%f}Z-{secrets.token_hex(2)}.eml"
        draft = folder / f".{name}"
        draft.write_bytes(bytes(message))
        return draft.rename(folder / name)

    def paths(self) -> list[Path]:
        """List the messages' files, the oldest first."""
        return sorted(self._folder.glob("*/[!.]*.eml"), key=lambda path: path.name)

    def read(self, number: int) -> Message:
        """Read one message by its number.

        Raises
        ------
        LookupError
            If there is none of that number.
        """
        paths = self.paths()
        if not 1 <= number <= len(paths):
            raise LookupError(f"expected a message from 1 to {len(paths)}, found {number}")
        return _read(number, paths[number - 1])

    def newest(self, count: int) -> list[Message]:
        """Read the last messages, the newest first."""
        numbered = list(enumerate(self.paths(), start=1))[-count:]
        return [_read(number, path) for number, path in reversed(numbered)]


def page_token(secret: str) -> str:
    """Return what opens the mail page: known to whoever may read the installation's key pair."""
    return hmac.new(secret.encode(), b"localaws mail page", hashlib.sha256).hexdigest()[:40]


def page_url() -> str:
    """Return the address of the mail page of this installation, with what opens it."""
    return f"{settings.endpoint()}{PAGE}?token={page_token(settings.root().secret_access_key)}"


def _read(number: int, path: Path) -> Message:
    with path.open("rb") as file:
        message = BytesParser(_class=EmailMessage, policy=email.policy.default).parse(file)
    return Message(
        number=number,
        path=path,
        address=str(message["To"]),
        sent_at=datetime.strptime(path.name[:19], "%Y-%m-%dT%H-%M-%S").strftime("%Y-%m-%d %H:%M:%S UTC"),
        subject=str(message["Subject"]),
        text=message.get_content(),
    )


def _one_line(text: str) -> str:
    return printable(" ".join(text.split()))


def main() -> None:
    """List the mail, or show one message."""
    parser = argparse.ArgumentParser(prog="python -m localaws.mail", description="Mail delivered on this machine.")
    parser.add_argument("number", type=int, nargs="?", help="show the message of this number")
    number = parser.parse_args().number
    mailbox = Mailbox(settings.home() / "mail")
    if number is not None:
        try:
            message = mailbox.read(number)
        except LookupError as error:
            sys.exit(str(error))
        head = f"To: {message.address}\nDate: {message.sent_at}\nSubject: {message.subject}"
        print(lines(f"{head}\n\n{message.text}"))
        return
    for message in reversed(mailbox.newest(50)):
        print(printable(f"{message.number:5}  {message.sent_at}  {message.address:30}  {message.subject}"))
    print(f"{len(mailbox.paths())} messages in {settings.home() / 'mail'}; in the browser: {page_url()}")


if __name__ == "__main__":
    main()
