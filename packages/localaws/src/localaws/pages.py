"""The pages of this layer: the mailbox, and what the links in its messages open."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import parse_qs

from localaws.extensions import Response
from localaws.mail import PAGE, Mailbox, page_token
from localaws.rendering import STYLE_SOURCE, render
from localaws.sns_mail import LINK, SnsMail

HEALTH = "/_localaws/health"
"""Tells that the server answers, and nothing else."""

_COOKIE = "localaws_mail"
_SHOWN = 200
_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": f"default-src 'none'; style-src {STYLE_SOURCE}; frame-ancestors 'none'",
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
        self._links = re.compile(f"({re.escape(endpoint)}/\\S+)")
        self._token = page_token(secret)

    def answer(self, method: str, path: str, query_string: str, headers: Mapping[str, str]) -> Response:
        """Answer one request for a page; each but `HEALTH` asks for a token, in its address or in a cookie."""
        query = {name: values[0] for name, values in parse_qs(query_string).items()}
        if method != "GET":
            return _page("Only GET", "This page is only for reading.", 405)
        if path == HEALTH:
            return Response(200, b"ok", {"Content-Type": "text/plain"})
        if path == LINK:
            return self._open_link(query)
        if path != PAGE:
            return _page("Not found", "There is no such page.", 404)
        if "token" in query and self._is_token(query["token"]):
            cookie = f"{_COOKIE}={self._token}; Path={PAGE}; HttpOnly; SameSite=Strict"
            return Response(303, b"", {**_HEADERS, "Location": PAGE, "Set-Cookie": cookie})
        given = SimpleCookie(headers.get("cookie", "")).get(_COOKIE)
        if given is None or not self._is_token(given.value):
            return _page("Closed", "Open the address that `python -m localaws.mail` prints.", 403)
        if "message" in query:
            return self._show(query["message"])
        return self._list()

    def _is_token(self, token: str) -> bool:
        return hmac.compare_digest(token.encode(), self._token.encode())

    def _list(self) -> Response:
        return _render("mailbox.html", title="Mail", messages=self._mailbox.newest(_SHOWN))

    def _show(self, number: str) -> Response:
        try:
            message = self._mailbox.read(int(number))
        except (LookupError, ValueError):
            return _page("Not found", "There is no such message.", 404)
        parts = [(part, place % 2) for place, part in enumerate(self._links.split(message.text))]
        return _render("message.html", title=message.subject, message=message, parts=parts)

    def _open_link(self, query: Mapping[str, str]) -> Response:
        token = query.get("token", "")
        if query.get("action") == "confirm":
            subscription = self._mail.confirm(query.get("topic", ""), token)
            title, words = "Subscription confirmed", "is subscribed to"
        else:
            subscription = self._mail.unsubscribe(query.get("subscription", ""), token)
            title, words = "Subscription removed", "gets nothing more from"
        if subscription is None:
            return _page("Link not valid", "This link was used before, or it is not one of ours.", 403)
        return _page(title, f"{subscription['endpoint']} {words} {subscription['topic_arn']}.")


def _page(title: str, text: str, status: int = 200) -> Response:
    return _render("page.html", status, title=title, text=text)


def _render(template: str, status: int = 200, **values: Any) -> Response:
    return Response(status, render(template, page=PAGE, **values).encode(), dict(_HEADERS))
