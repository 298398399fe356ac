"""SNS by e-mail, from the subscription to the unsubscription, as the addressee sees it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.error
import urllib.request
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.clients import Clients
from localaws.mail import Mailbox, Message, page_token
from localaws.testing import LocalAws
from localaws_tests.services.conftest import wait_until

HOSTILE = "<script>alert(1)</script> & 'quoted'"


@pytest.fixture
def sns(aws: Clients) -> Any:
    return aws.client("sns")


def mail_to(local: LocalAws, address: str) -> list[Message]:
    """Return an address's messages, the oldest first."""
    return [message for message in reversed(Mailbox(local.folder / "mail").newest(1000)) if message.address == address]


def link_in(message: Message) -> str:
    found = re.search(r"http://\S+", message.text)
    assert found is not None
    return found[0]


def open_page(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url) as answer:  # noqa: S310 (from our own mail)
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def page_of(local: LocalAws) -> urllib.request.OpenerDirector:
    """Return a browser that has opened the mail page with its token."""
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    secret = json.loads((local.folder / "credentials.json").read_text())["secret_access_key"]
    browser.open(f"{local.endpoint}/_localaws/mail?token={page_token(secret)}")
    return browser


def subscribe(sns: Any, local: LocalAws, topic: str, address: str, **attributes: str) -> str:
    """Subscribe and confirm by the link in the message; return the subscription's ARN."""
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=address, Attributes=attributes)
    assert open_page(link_in(mail_to(local, address)[-1]))[0] == 200
    subscriptions = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    return str(next(entry["SubscriptionArn"] for entry in subscriptions if entry["Endpoint"] == address))


def test_nothing_comes_before_the_link_was_opened_and_everything_after(sns: Any, local_aws: LocalAws) -> None:
    topic = sns.create_topic(Name="first")["TopicArn"]
    answer = sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="ann@example.com")
    assert answer["SubscriptionArn"] == "pending confirmation"
    listed = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert [entry["SubscriptionArn"] for entry in listed] == ["PendingConfirmation"]
    sns.publish(TopicArn=topic, Message="too early")
    (asked,) = mail_to(local_aws, "ann@example.com")
    assert asked.subject == "AWS Notification - Subscription Confirmation"
    assert topic in asked.text

    status, page = open_page(link_in(asked))
    assert status == 200
    assert "ann@example.com is subscribed to" in page
    sns.publish(TopicArn=topic, Subject="NVDA rose 6 %", Message="Line one\nLine two – with a dash")
    sns.publish(TopicArn=topic, Message="without a subject")
    told, plain = mail_to(local_aws, "ann@example.com")[1:]
    assert told.subject == "NVDA rose 6 %"
    assert told.text.startswith("Line one\nLine two – with a dash\n")
    assert plain.subject == "AWS Notification Message"


def test_a_link_works_once_and_a_wrong_token_never(sns: Any, local_aws: LocalAws) -> None:
    topic = sns.create_topic(Name="once")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="bob@example.com")
    link = link_in(mail_to(local_aws, "bob@example.com")[-1])
    assert open_page(link[:-4] + "beef")[0] == 403
    assert open_page(link)[0] == 200
    assert open_page(link)[0] == 403


def test_the_token_confirms_through_the_api_too(sns: Any, local_aws: LocalAws) -> None:
    topic = sns.create_topic(Name="by-api")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="api@example.com")
    token = link_in(mail_to(local_aws, "api@example.com")[-1]).rpartition("token=")[2]
    arn = sns.confirm_subscription(TopicArn=topic, Token=token)["SubscriptionArn"]
    assert arn.startswith(topic + ":")
    sns.publish(TopicArn=topic, Message="hello")
    assert mail_to(local_aws, "api@example.com")[-1].text.startswith("hello")


def test_subscribing_again_sends_the_confirmation_again(sns: Any, local_aws: LocalAws) -> None:
    topic = sns.create_topic(Name="again")["TopicArn"]
    for _ in range(2):
        sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="eve@example.com")
    assert len(mail_to(local_aws, "eve@example.com")) == 2
    assert open_page(link_in(mail_to(local_aws, "eve@example.com")[-1]))[0] == 200


def test_a_filter_policy_chooses_the_messages(sns: Any, local_aws: LocalAws) -> None:
    topic = sns.create_topic(Name="filtered")["TopicArn"]
    subscribe(sns, local_aws, topic, "carl@example.com", FilterPolicy=json.dumps({"symbol": ["NVDA"]}))
    for symbol in ("AAPL", "NVDA"):
        attribute = {"symbol": {"DataType": "String", "StringValue": symbol}}
        sns.publish(TopicArn=topic, Message=f"about {symbol}", MessageAttributes=attribute)
    entries = [{"Id": "1", "Message": "a batch about NVDA", "MessageAttributes": attribute}]
    sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)
    texts = [message.text.splitlines()[0] for message in mail_to(local_aws, "carl@example.com")[1:]]
    assert texts == ["about NVDA", "a batch about NVDA"]


def test_the_link_in_a_notification_ends_the_subscription(sns: Any, local_aws: LocalAws) -> None:
    topic = sns.create_topic(Name="leaving")["TopicArn"]
    subscribe(sns, local_aws, topic, "dora@example.com")
    sns.publish(TopicArn=topic, Message="one")
    status, page = open_page(link_in(mail_to(local_aws, "dora@example.com")[-1]))
    assert (status, "gets nothing more" in page) == (200, True)
    sns.publish(TopicArn=topic, Message="two")
    assert [message.text[:3] for message in mail_to(local_aws, "dora@example.com")[1:]] == ["one"]
    assert sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"] == []


def test_a_subscription_of_a_stack_is_asked_to_confirm(aws: Clients, local_aws: LocalAws) -> None:
    inline = {
        "Type": "AWS::SNS::Topic",
        "Properties": {"Subscription": [{"Protocol": "email", "Endpoint": "in@x.org"}]},
    }
    apart = {
        "Type": "AWS::SNS::Subscription",
        "Properties": {"TopicArn": {"Ref": "Topic"}, "Protocol": "email", "Endpoint": "apart@x.org"},
    }
    template = json.dumps({"Resources": {"Topic": inline, "Apart": apart}})
    aws.client("cloudformation").create_stack(StackName="mail", TemplateBody=template)
    for address in ("in@x.org", "apart@x.org"):
        (asked,) = wait_until(partial(mail_to, local_aws, address), f"mail to {address}")
        assert "Subscription Confirmation" in asked.subject


def test_mail_as_json_is_not_supported(sns: Any) -> None:
    topic = sns.create_topic(Name="json")["TopicArn"]
    with pytest.raises(ClientError, match="Protocol email-json is not supported here; use email"):
        sns.subscribe(TopicArn=topic, Protocol="email-json", Endpoint="robot@example.com")


def test_the_page_shows_mail_as_text_to_those_with_the_token(sns: Any, local_aws: LocalAws) -> None:
    topic = sns.create_topic(Name="page")["TopicArn"]
    subscribe(sns, local_aws, topic, "page@example.com")
    sns.publish(TopicArn=topic, Subject=HOSTILE, Message=HOSTILE)
    assert open_page(f"{local_aws.endpoint}/_localaws/mail")[0] == 403
    assert open_page(f"{local_aws.endpoint}/_localaws/mail?token=guess")[0] == 403

    browser = page_of(local_aws)
    listing = browser.open(f"{local_aws.endpoint}/_localaws/mail")
    assert "default-src 'none'" in listing.headers["Content-Security-Policy"]
    number = len(Mailbox(local_aws.folder / "mail").paths())
    page = browser.open(f"{local_aws.endpoint}/_localaws/mail?message={number}").read().decode()
    for text in (listing.read().decode(), page):
        assert "<script>" not in text
        assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; &#39;quoted&#39;" in text


@pytest.mark.parametrize("address", ["", "nobody", "a@b\r\nBcc: x@y", ".@x", "a b@x", "../../x", "<a@b>", "ä@x"])
def test_what_is_no_address_is_refused(sns: Any, address: str) -> None:
    topic = sns.create_topic(Name="refused")["TopicArn"]
    with pytest.raises(ClientError, match="Email address"):
        sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=address)


def test_neither_address_nor_subject_can_leave_its_place(tmp_path: Path) -> None:
    path = Mailbox(tmp_path).deliver("a/../../b@example.com", "n", "s\r\nBcc: x@y", "t", [])
    assert path.parent.parent == tmp_path
    assert b"\r\nBcc:" not in path.read_bytes()


def test_the_command_lists_and_shows_the_mail(local_aws: LocalAws) -> None:
    Mailbox(local_aws.folder / "mail").deliver("cli@example.com", "n", "In the list", "The text", [])
    number = str(len(Mailbox(local_aws.folder / "mail").paths()))
    command = [sys.executable, "-m", "localaws.mail"]
    listing = subprocess.run(command, env=local_aws.environment, capture_output=True, text=True, check=True).stdout
    assert re.search(rf"\b{number}\b.*cli@example.com +In the list", listing)
    shown = subprocess.run([*command, number], env=local_aws.environment, capture_output=True, text=True, check=True)
    assert shown.stdout.endswith("The text\n\n")
