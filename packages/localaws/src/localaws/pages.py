"""The pages of this layer: the mailbox, and what the links in its messages open."""

from __future__ import annotations

import base64
import hashlib
import hmac
import html
import re
from collections.abc import Mapping
from http.cookies import SimpleCookie
from urllib.parse import parse_qs

from localaws.extensions import Response
from localaws.mail import PAGE, Mailbox, Message, page_token
from localaws.printable import lines
from localaws.sns_mail import LINK, SnsMail

_COOKIE = "localaws_mail"
_SHOWN = 200
_STYLE = "body{font:15px/1.5 system-ui;max-width:60em;margin:2em auto}pre{white-space:pre-wrap}td{padding-right:1em}"
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Pages:
    """Answers GET requests under `/_localaws/`.

    Parameters
    ----------
    mailbox : Mailbox
        What is shown.
    mail : SnsMail
        Confirms and removes subscriptions.
    endpoint, secret : str
        Address of this server, and what the page's token is derived from.
    """

    def __init__(self, mailbox: Mailbox, mail: SnsMail, endpoint: str, secret: str) -> None:
        self._mailbox = mailbox
        self._mail = mail
        self._links = re.compile(re.escape(html.escape(endpoint + "/")) + r"\S+")
        self._token = page_token(secret)

    def answer(self, method: str, path: str, query_string: str, headers: Mapping[str, str]) -> Response:
        """Answer one request for a page; every page asks for a token, in its address or in a cookie."""
        query = {name: values[0] for name, values in parse_qs(query_string).items()}
        if method != "GET":
            return _page("Only GET", "<p>This page is only for reading.</p>", 405)
        if path == LINK:
            return self._open_link(query)
        if path != PAGE:
            return _page("Not found", "<p>There is no such page.</p>", 404)
        if "token" in query and self._is_token(query["token"]):
            cookie = f"{_COOKIE}={self._token}; Path={PAGE}; HttpOnly; SameSite=Strict"
            return Response(303, b"", {**_HEADERS, "Location": PAGE, "Set-Cookie": cookie})
        given = SimpleCookie(headers.get("cookie", "")).get(_COOKIE)
        if given is None or not self._is_token(given.value):
            return _page("Closed", "<p>Open the address that <code>python -m localaws.mail</code> prints.</p>", 403)
        if "message" in query:
            return self._show(query["message"])
        return self._list()

    def _is_token(self, token: str) -> bool:
        return hmac.compare_digest(token.encode(), self._token.encode())

    def _list(self) -> Response:
        rows = "".join(
            f'<tr><td>{html.escape(message.sent_at)}<td>{_text(message.address)}<td><a href="{PAGE}?message='
            f'{message.number}">{_text(message.subject)}</a>'
            for message in self._mailbox.newest(_SHOWN)
        )
        return _page("Mail", f"<table>{rows}</table>" if rows else "<p>No mail yet.</p>")

    def _show(self, number: str) -> Response:
        try:
            message: Message = self._mailbox.read(int(number))
        except (LookupError, ValueError):
            return _page("Not found", "<p>There is no such message.</p>", 404)
        text = self._links.sub(lambda match: f'<a href="{match[0]}">{match[0]}</a>', _text(message.text))
        return _page(
            message.subject,
            f"<p>To {_text(message.address)}, {html.escape(message.sent_at)}</p><pre>{text}</pre>"
            f'<p><a href="{PAGE}">All mail</a></p>',
        )

    def _open_link(self, query: Mapping[str, str]) -> Response:
        token = query.get("token", "")
        if query.get("action") == "confirm":
            subscription = self._mail.confirm(query.get("topic", ""), token)
            title, said = "Subscription confirmed", "is subscribed to"
        else:
            subscription = self._mail.unsubscribe(query.get("subscription", ""), token)
            title, said = "Subscription removed", "gets nothing more from"
        if subscription is None:
            return _page("Link not valid", "<p>This link was used before, or it is not one of ours.</p>", 403)
        address, topic = _text(subscription["endpoint"]), _text(subscription["topic_arn"])
        return _page(title, f"<p>{address} {said} {topic}.</p>")


def _text(text: str) -> str:
    """Return text from elsewhere as HTML that shows it."""
    return html.escape(lines(text))


def _page(title: str, body: str, status: int = 200) -> Response:
    document = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{_text(title)}</title>'
        f"<style>{_STYLE}</style><h1>{_text(title)}</h1>{body}</html>"
    )
    return Response(status, document.encode(), dict(_HEADERS))
