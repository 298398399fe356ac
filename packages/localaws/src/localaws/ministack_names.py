"""Every name of MiniStack that this package touches, private ones above all, each with the reason.

MiniStack has no interface for what is done here: its functions are wrapped or replaced, its stores are read and filled,
where they are, in its modules. Nothing else in the package imports MiniStack or spells one of its names, so this file
is what to read before another version of it is pinned. `test_ministack_names.py` fails if one is gone.
MiniStack reads its settings as it is imported: call `environment.prepare` first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from ministack import app as application
from ministack.app import SERVICE_HANDLERS as SERVICE_HANDLERS
from ministack.app import app as app
from ministack.core import iam_actions, iam_evaluator
from ministack.core.persistence import save_all as save_all
from ministack.core.responses import AccountRegionScopedDict as AccountRegionScopedDict
from ministack.core.responses import get_account_id as get_account_id
from ministack.core.responses import get_region as get_region
from ministack.core.router import extract_access_key_id as extract_access_key_id
from ministack.services import cloudwatch, dynamodb, dynamodb_streams, eventbridge, glue, kinesis, lambda_svc, sns, sts


@dataclass(frozen=True, slots=True)
class Name:
    """A name in one of MiniStack's modules; it is looked up at each use, for others may have replaced it since."""

    module: ModuleType
    attribute: str
    reason: str

    @property
    def value(self) -> Any:
        """What the name stands for now."""
        return getattr(self.module, self.attribute)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Call the function that it stands for now."""
        return self.value(*arguments, **named)

    def set(self, value: Any) -> None:
        """Let the name stand for something else."""
        setattr(self.module, self.attribute, value)

    def wrap(self, around: Callable[[Any], Any]) -> None:
        """Let the name stand for what a function makes of what it stands for now."""
        self.set(around(self.value))


# Who may do what
IS_ROOT = Name(iam_evaluator, "is_root_access_key", "says who is root: here the installation's own key alone")
IS_ROOT_TO_STS = Name(sts, "is_root_access_key", "the same function, which this module has imported by its name")
IS_UNCHECKED = Name(iam_evaluator, "_is_root_key", "says whose signature is not checked: here nobody's")
ACTION_OF = Name(iam_actions, "extract_iam_action", "names the permission a request needs: that of a batch is another")
ENFORCE = Name(
    iam_evaluator, "enforce", "decides by the caller's policies: asked for a table's database and catalog too"
)
CREDENTIAL = Name(iam_evaluator, "resolve_credential", "the secret of a key: Athena calls Glue and S3 as its caller")
DENIED = Name(iam_actions, "access_denied_response", "answers a refusal: that of Glue without the resource")
DENIAL = Name(iam_actions, "identity_denial_message", "words a refusal as AWS does")
RESOURCE_OF = Name(
    iam_actions, "extract_resource_arn", "names the resource of a request, which may be named indirectly"
)
DYNAMODB_CONTEXT = Name(iam_actions, "dynamodb_service_context", "what conditions see: it leaves out LeadingKeys")

CODE_LOCATION = Name(lambda_svc, "_presigned_code_url", "where a function's zip is: the address is not really signed")

# Kinesis
STREAMS = Name(kinesis, "_streams", "its store of streams and their records, which the journal keeps")
ITERATORS = Name(
    kinesis, "_shard_iterators", "its store of iterators: they name their stream, and count from its start"
)
EXPIRE_RECORDS = Name(
    kinesis, "_expire_records", "drops old records: it forgets the iterators that count from the first"
)
EXPIRE_ITERATORS = Name(kinesis, "_expire_iterators", "drops old iterators at every call, which takes ever longer")
KINESIS_STATE = Name(kinesis, "get_state", "what it saves: without the records, which the journal has")

# DynamoDB
TABLES = Name(dynamodb, "_tables", "its store of tables and their items, which the journal keeps")
SET_ITEM = Name(dynamodb, "_set_item", "every item stored passes through it: the journal notes it")
REMOVE_ITEM = Name(
    dynamodb, "_remove_item", "every item removed passes through it: the journal notes it, expiry calls it"
)
ITEMS_REPLACED = Name(dynamodb, "_items_replaced", "counts a table's items anew once the journal has restored them")
CHANGES = Name(dynamodb, "_stream_records", "its store of changes, which the journal keeps")
CHANGES_TRIMMED = Name(dynamodb, "_stream_trimmed", "how many changes each stream has dropped: iterators count by it")
TRIM_CHANGES = Name(dynamodb, "_trim_stream_records", "looks for old changes at every write, which takes ever longer")
DYNAMODB_STATE = Name(dynamodb, "get_state", "what it saves: without the items, which the journal has")
EXPIRIES = Name(dynamodb, "_ttl_settings", "which tables expire items: hidden from its own search, which unpacks all")
ITEMS_LOCK = Name(dynamodb, "_lock", "held while items are removed")
BATCH_WRITE = Name(dynamodb, "_batch_write_item", "answers BatchWriteItem: it validates each item twice")
VALIDATE_ITEM = Name(dynamodb, "_validate_item", "the validation, which is done once")
NUMBER_ERROR = Name(dynamodb, "_number_error", "checks a number again and again: remembered")
CANONICAL_NUMBER = Name(dynamodb, "_ddb_canonicalize_number", "spells a number again and again: remembered")
NUMBER_BYTES = Name(dynamodb, "_number_size_bytes", "measures a number again and again: remembered")
SCAN = Name(dynamodb, "_scan", "answers Scan: it sorts the whole table for each page")
QUERY = Name(dynamodb, "_query", "answers Query: it looks at the whole partition for each page")
TABLE_NAME = Name(dynamodb, "_normalize_table_name", "reads the name or the ARN of a table, as Scan and Query do")
KEY_VALUE = Name(dynamodb, "_extract_key_val", "the key by which an item is stored")
KEY_TYPE = Name(dynamodb, "_get_attr_type", "the type of a key: only texts are in the order of their keys")
ITEM_BYTES = Name(dynamodb, "_item_size_bytes", "the size of an item as a page counts it")
PAGE_BYTES = Name(dynamodb, "_DDB_PAGE_SIZE_BYTES", "how many bytes of items a page holds")
CHANGES_ITERATOR = Name(dynamodb_streams, "_decode_iterator", "the stream that an iterator names")

# SNS
TOPICS = Name(sns, "_topics", "its store of topics: every way to subscribe ends in a topic's list")
TOPIC_OF_SUBSCRIPTION = Name(
    sns, "_sub_arn_to_topic", "its index of subscriptions, kept when one is removed by its link"
)
FANOUT = Name(sns, "_fanout", "every notification passes through it: mail follows")
COUNT_SUBSCRIPTIONS = Name(sns, "_refresh_subscription_counts", "counts a topic's subscriptions anew")
TEXT_FOR_PROTOCOL = Name(sns, "_resolve_message_for_protocol", "the text that a protocol gets")
MATCHES_POLICY = Name(sns, "_matches_filter_policy", "whether a subscription's filter lets a message pass")
SNS_ERROR = Name(sns, "_error", "an error as SNS answers it")
SNS_XML = Name(sns, "_xml", "an answer as SNS words it")
SNS = Name(sns, "handle_request", "answers the requests that are changed on their way back")

# CloudWatch
METRICS = Name(cloudwatch, "_metrics", "its store of points, by namespace, name and dimensions")
DIMENSIONS_KEY = Name(cloudwatch, "_dims_key", "how the store spells dimensions")
STATISTICS = Name(cloudwatch, "_calc_stats", "the statistics of some points")
STATISTIC = Name(cloudwatch, "_stat_value", "one of them, or a percentile")
EVALUATE_ALARM = Name(cloudwatch, "_evaluate_alarm", "sets an alarm's state: it knows no dimensions and one period")
EVALUATE_PARENT_ALARMS = Name(cloudwatch, "_evaluate_parent_alarms", "follows when an alarm's state has changed")
RECORD_ALARM_HISTORY = Name(cloudwatch, "_record_history", "notes that an alarm's state has changed")
TELL_ALARM_ACTIONS = Name(cloudwatch, "_dispatch_alarm_actions", "sends what an alarm's new state sends")

# The rest
DATABASES = Name(glue, "_databases", "its store of databases: Athena asks for another right where `default` is missing")
METRIC_SECONDS = Name(
    cloudwatch, "TWO_WEEKS_SECONDS", "how long metrics are kept: every look at any walks over them all"
)
CALL_FUNCTION = Name(
    eventbridge, "_dispatch_to_lambda", "calls the function of a rule: in a process that sees the server"
)
POLLER_STARTED = Name(lambda_svc, "_poller_started", "keeps its own poller from starting, which knows no retries")
STATE = Name(application, "_build_persistence_save_dict", "what it saves as it stops, saved every minute too")
