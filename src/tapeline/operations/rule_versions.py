"""The versions of a deployment's rules: what is in force, who applied it and when, and how that is changed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from botocore.exceptions import ClientError

from tapeline.aws.deployment import Deployment
from tapeline.market.alerting.in_force import AHEAD_SECONDS, Learnt, Mute, Pointer, RulesInForce, Version, version_key
from tapeline.market.alerting.rules import EVERYTHING, RuleSet
from tapeline.market.quotes import timestamp_of
from tapeline.stream.rule_book import (
    baselines_from_bytes,
    pointer_from_item,
    pointer_key,
    pointer_to_item,
    read_version,
)

MUTE_MEMORY_SECONDS = 15 * 86400
"""How long a mute that is over stays listed: a redrive brings records of the 14 days before."""

_TRIES = 5


class RulesError(RuntimeError):
    """The rules cannot be changed so; the message says what is in force and what to do."""


@dataclass(frozen=True, slots=True)
class RuleVersions:
    """The versions of one deployment; `clock` gives seconds since 1970."""

    deployment: Deployment
    clock: Callable[[], float] = time.time

    def pointer(self) -> Pointer:
        """Return what holds from when."""
        return pointer_from_item(self._item())

    def read(self, number: int) -> RuleSet:
        """Return the rules of a version.

        Raises
        ------
        RulesError
            If there is no such version.
        """
        if not 1 <= number <= self.pointer().newest:
            raise RulesError(f"expected a version from 1 to {self.pointer().newest}, found {number}")
        s3, bucket = self.deployment.client("s3"), self.deployment.outputs.bucket_name
        return read_version(s3.get_object(Bucket=bucket, Key=version_key(number))["Body"].read())

    def in_force(self) -> RulesInForce | None:
        """Return what is in force, None while no rules have been applied."""
        pointer = self.pointer()
        if not pointer.newest:
            return None
        enabled = [rule for rule in self.read(pointer.newest).rules if rule.enabled]
        waiting = tuple(rule.name for rule in enabled if rule.when.needs_baseline)
        known = frozenset[str]()
        if pointer.baselines:
            s3, bucket = self.deployment.client("s3"), self.deployment.outputs.bucket_name
            body = s3.get_object(Bucket=bucket, Key=pointer.baselines[-1].key)["Body"].read()
            known = frozenset(baselines_from_bytes(body))
        return RulesInForce(pointer.versions[-1], len(enabled), waiting, known)

    def apply(self, rules: RuleSet, *, based_on: int | None, by: str, note: str = "") -> Version:
        """Make rules the newest version, which begins to hold in a minute.

        Parameters
        ----------
        based_on : int or None
            The version that the rules were made from; None for those that never knew one.

        Raises
        ------
        RulesError
            If another version is in force than the one they are based on.
        """
        item = self._item()
        pointer = pointer_from_item(item)
        if pointer.newest != (based_on or 0):
            newest = pointer.versions[-1] if pointer.versions else None
            held = f"version {newest.number}, by {newest.by} at {newest.at}" if newest else "none"
            said = f"version {based_on}" if based_on else "no version"
            raise RulesError(
                f"expected rules based on what was applied last ({held}); these are based on {said}. "
                "Put your change into what `tapeline rules export` writes, and apply that"
            )
        number = pointer.newest + 1
        moment = self.clock()
        version = Version(number, int(moment) + AHEAD_SECONDS + 1, by, timestamp_of(moment), note)
        self._put_version(number, rules)
        self._put(item, pointer.with_version(version))
        return version

    def go_back(self, number: int, *, by: str) -> Version:
        """Make an earlier version the newest again."""
        rules = self.read(number)
        return self.apply(rules, based_on=self.pointer().newest, by=by, note=f"back to version {number}")

    def mute(self, symbol: str, rule: str, *, until: float, by: str) -> Mute:
        """Silence a rule, or ``*``, on a symbol, or ``*``, from a minute ahead until a moment, since 1970."""
        mute = Mute(rule or EVERYTHING, symbol or EVERYTHING, int(self.clock()) + AHEAD_SECONDS + 1, int(until), by)
        self._change(
            lambda pointer: replace(
                pointer,
                mutes=(*(old for old in pointer.mutes if old.until > self.clock() - MUTE_MEMORY_SECONDS), mute),
            )
        )
        return mute

    def learn(self, key: str) -> Learnt:
        """Let baselines that lie in the bucket hold from a minute ahead, and return what holds last.

        The same again changes nothing, nor do those of an earlier session, as a backfill brings them.
        """
        learnt = Learnt(key, int(self.clock()) + AHEAD_SECONDS + 1)

        def change(pointer: Pointer) -> Pointer:
            newest = pointer.baselines[-1] if pointer.baselines else None
            if newest and (newest.key == key or newest.session > learnt.session):
                return pointer
            return pointer.with_baselines(learnt)

        return self._change(change).baselines[-1]

    def _change(self, change: Callable[[Pointer], Pointer]) -> Pointer:
        for attempt in range(_TRIES):
            item = self._item()
            before = pointer_from_item(item)
            after = change(before)
            if after == before:
                return after
            try:
                self._put(item, after)
            except RulesError:
                if attempt == _TRIES - 1:
                    raise
            else:
                return after
        raise AssertionError("the last attempt returns or raises")

    def _item(self) -> dict[str, object] | None:
        answer = self.deployment.client("dynamodb").get_item(
            TableName=self.deployment.outputs.state_table_name, Key=pointer_key(), ConsistentRead=True
        )
        return dict(answer["Item"]) if "Item" in answer else None

    def _put(self, before: dict[str, object] | None, pointer: Pointer) -> None:
        """Write the pointer, unless somebody else has meanwhile."""
        condition = {"ConditionExpression": "attribute_not_exists(#key)", "ExpressionAttributeNames": {"#key": "key"}}
        if before:
            condition = {
                "ConditionExpression": "#pointer = :before",
                "ExpressionAttributeNames": {"#pointer": "pointer"},
                "ExpressionAttributeValues": {":before": before["pointer"]},
            }
        try:
            self.deployment.client("dynamodb").put_item(
                TableName=self.deployment.outputs.state_table_name,
                Item=pointer_to_item(pointer),
                **condition,  # type: ignore[arg-type]
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            raise RulesError("somebody else has changed the rules meanwhile; look at them and apply again") from None

    def _put_version(self, number: int, rules: RuleSet) -> None:
        """Write a version's object; one that an apply which lost the race left behind is written over."""
        s3, bucket = self.deployment.client("s3"), self.deployment.outputs.bucket_name
        body = json.dumps(rules.to_document(), indent=1).encode()
        s3.put_object(Bucket=bucket, Key=version_key(number), Body=body, ContentType="application/json")
