"""SNS by e-mail: an address confirms its subscription by a link, then gets the notifications, and can leave by a link.

The base confirms e-mail subscriptions at once and only logs what it would send. Every path to a subscription
(Subscribe, three places of its CloudFormation) ends in a topic's list, which is looked through here: `test_mail.py`
fails if one does not.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlencode

from localaws import ministack_names as base
from localaws.extensions import Request, Response
from localaws.mail import ADDRESS, Mailbox

PROTOCOL = "email"
LINK = "/_localaws/subscription"
SWEEP_SECONDS = 1.0
"""How soon a subscription of a stack gets its confirmation message."""

DEFAULT_SUBJECT = "AWS Notification Message"
DEFAULT_SENDER = "AWS Notifications"

Subscription = dict[str, Any]
Topic = dict[str, Any]


class SnsMail:
    """Delivers notifications to a mailbox.

    Parameters
    ----------
    mailbox : Mailbox
        Where they go.
    endpoint : str
        Address of this server, for the links.
    secret : str
        What the links to leave are derived from.
    """

    service = "sns"

    def __init__(self, mailbox: Mailbox, endpoint: str, secret: str) -> None:
        self._mailbox = mailbox
        self._endpoint = endpoint
        self._secret = secret.encode()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Take over the delivery, and look for new subscriptions of stacks."""
        base.FANOUT.wrap(self._after)
        self._task = asyncio.create_task(self._sweep_regularly())

    async def stop(self) -> None:
        """Stop looking."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def handle(self, request: Request) -> Response | None:
        """Answer as SNS does where a pending subscription shows: its ARN is not told before it is confirmed."""
        if request.operation not in ("Subscribe", "ListSubscriptions", "ListSubscriptionsByTopic"):
            return None
        parameters = {**parse_qs(request.body.decode()), **request.query}
        protocol, address = (parameters.get(name, [""])[0] for name in ("Protocol", "Endpoint"))
        if request.operation == "Subscribe" and protocol == "email-json":
            return _refusal("Protocol email-json is not supported here; use email")
        if request.operation == "Subscribe" and protocol == PROTOCOL and not ADDRESS.fullmatch(address):
            return _refusal("Email address")
        status, headers, body = await base.SNS(
            request.method, request.path, dict(request.headers), request.body, dict(request.query)
        )
        word = "PendingConfirmation"
        if request.operation == "Subscribe":
            word = "pending confirmation"
            self._ask_again(parameters)
        self.sweep()
        if request.operation == "Subscribe" and parameters.get("ReturnSubscriptionArn") == ["true"]:
            return Response(status, body, headers)
        for _, subscription in _mail_subscriptions():
            if not subscription["confirmed"]:
                body = body.replace(f">{subscription['arn']}<".encode(), f">{word}<".encode())
        return Response(status, body, headers)

    def sweep(self) -> None:
        """Ask each address that is new to confirm."""
        for topic, subscription in _mail_subscriptions():
            if "asked_at" not in subscription:
                self._ask(topic, subscription)

    def confirm(self, topic_arn: str, token: str) -> Subscription | None:
        """Confirm the subscription that a token belongs to; None if there is none."""
        for topic, subscription in _mail_subscriptions():
            expected = subscription.get("token") or ""
            if topic["arn"] == topic_arn and expected and hmac.compare_digest(expected, token):
                subscription.update(confirmed=True, token=None)
                subscription["attributes"].update(PendingConfirmation="false", ConfirmationWasAuthenticated="false")
                base.COUNT_SUBSCRIPTIONS(topic)
                return subscription
        return None

    def unsubscribe(self, subscription_arn: str, token: str) -> Subscription | None:
        """Remove the subscription if the token is its own; None if it is not."""
        for topic, subscription in _mail_subscriptions():
            if subscription["arn"] == subscription_arn and hmac.compare_digest(self._token(subscription_arn), token):
                topic["subscriptions"].remove(subscription)
                base.TOPIC_OF_SUBSCRIPTION.value.pop(subscription_arn, None)
                base.COUNT_SUBSCRIPTIONS(topic)
                return subscription
        return None

    def _ask(self, topic: Topic, subscription: Subscription) -> None:
        subscription.update(confirmed=False, token=secrets.token_hex(32), asked_at=datetime.now(UTC).isoformat())
        subscription["attributes"].update(PendingConfirmation="true", ConfirmationWasAuthenticated="false")
        base.COUNT_SUBSCRIPTIONS(topic)
        link = self._link(action="confirm", topic=topic["arn"], token=subscription["token"])
        text = (
            f"You have chosen to subscribe to the topic:\n{topic['arn']}\n\n"
            f"To confirm this subscription, open:\n{link}\n\n"
            "If you did not ask for this, do nothing: without a confirmation nothing more will come.\n"
        )
        self._send(topic, subscription, "AWS Notification - Subscription Confirmation", text)

    def _ask_again(self, parameters: dict[str, list[str]]) -> None:
        """Send the confirmation once more to an address that subscribes again without having confirmed."""
        wanted = tuple(parameters.get(name, [""])[0] for name in ("TopicArn", "Protocol", "Endpoint"))
        for topic, subscription in _mail_subscriptions():
            same = (topic["arn"], subscription["protocol"], subscription["endpoint"]) == wanted
            if same and not subscription["confirmed"]:
                subscription.pop("asked_at", None)

    def _after(self, fanout: Any) -> Any:
        """Return the base's fan-out with ours behind it."""

        def fan_out(  # the base's own parameters
            topic_arn: str,
            msg_id: str,
            message: str,
            subject: str,
            message_structure: str = "",
            message_attributes: dict[str, Any] | None = None,
            **rest: Any,
        ) -> None:
            fanout(topic_arn, msg_id, message, subject, message_structure, message_attributes, **rest)
            self.sweep()
            for topic, subscription in _mail_subscriptions():
                if topic["arn"] == topic_arn and subscription["confirmed"]:
                    text = base.TEXT_FOR_PROTOCOL(message, message_structure, PROTOCOL)
                    if base.MATCHES_POLICY(subscription, message_attributes or {}, text):
                        self._notify(topic, subscription, text, subject)

        return fan_out

    def _notify(self, topic: Topic, subscription: Subscription, text: str, subject: str) -> None:
        arn = subscription["arn"]
        leave = self._link(action="unsubscribe", subscription=arn, token=self._token(arn))
        body = (
            f"{text}\n\n--\nIf you wish to stop receiving notifications from this topic, please open the link "
            f"below to unsubscribe:\n{leave}\n"
        )
        self._send(topic, subscription, subject or DEFAULT_SUBJECT, body)

    def _send(self, topic: Topic, subscription: Subscription, subject: str, text: str) -> None:
        sender = topic["attributes"].get("DisplayName") or DEFAULT_SENDER
        headers = [("X-SNS-Topic-ARN", topic["arn"]), ("X-SNS-Subscription-ARN", subscription["arn"])]
        self._mailbox.deliver(subscription["endpoint"], sender, subject, text, headers)

    def _link(self, **query: str) -> str:
        return f"{self._endpoint}{LINK}?{urlencode(query)}"

    def _token(self, subscription_arn: str) -> str:
        return hmac.new(self._secret, f"unsubscribe {subscription_arn}".encode(), hashlib.sha256).hexdigest()

    async def _sweep_regularly(self) -> None:
        while True:
            self.sweep()
            await asyncio.sleep(SWEEP_SECONDS)


def _refusal(what: str) -> Response:
    status, headers, body = base.SNS_ERROR("InvalidParameter", f"Invalid parameter: {what}", 400)
    return Response(status, body, headers)


def _mail_subscriptions() -> list[tuple[Topic, Subscription]]:
    return [
        (topic, subscription)
        for topic in base.TOPICS.value.all_values()
        for subscription in topic["subscriptions"]
        if subscription["protocol"] == PROTOCOL and ADDRESS.fullmatch(subscription["endpoint"])
    ]
