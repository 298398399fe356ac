"""The one way to tell a topic's subscribers something: a subject and a text that SNS takes whatever they hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tapeline.aws.printable import printable

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient

MAX_SUBJECT_CHARACTERS = 99
"""SNS takes subjects of less than 100, ASCII without control characters (API Reference, Publish)."""


def publish(sns: SNSClient, topic_arn: str, subject: str, text: str, **attributes: str) -> str:
    """Send a message to the subscribers of a topic whose filters let its attributes in; return its id."""
    return sns.publish(TopicArn=topic_arn, **message(subject, text, **attributes))["MessageId"]


def message(subject: str, text: str, **attributes: str) -> Any:
    """Return a message as `publish`, or an entry of a batch, takes it."""
    return {
        "Subject": mail_subject(subject),
        "Message": mail_text(text),
        "MessageAttributes": {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()},
    }


def mail_subject(text: str) -> str:
    """Return a text as the subject of a mail, which SNS takes whatever it holds."""
    flat = printable(" ".join(text.split()))
    return flat.encode("ascii", "replace").decode()[:MAX_SUBJECT_CHARACTERS].rstrip() or "Tapeline"


def mail_text(text: str) -> str:
    """Return a text as the body of a mail: lines, and nothing in them that does not print."""
    return printable(text, keep="\n")
