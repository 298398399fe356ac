"""A message of Yahoo's WebSocket and its figures."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError
from yfinance.pricing_pb2 import PricingData

from producer.sources.yahoo.answer import LEAST_USD, tick_of
from tapeline.market.quotes import MAX_ABSOLUTE_USD

ZERO = Decimal(0)


class UnreadableMessageError(ValueError):
    """A frame that is no pricing message, or one without a quote in it."""


def decode(frame: str | bytes) -> dict[str, Any]:
    """Return the fields of a frame ``{"message": base64 of PricingData}``; floats in as few digits as mean them."""
    try:
        payload = base64.b64decode(json.loads(frame)["message"], validate=True)
        message: dict[str, Any] = MessageToDict(PricingData.FromString(payload), preserving_proto_field_name=True)
    except (ValueError, LookupError, TypeError, AttributeError, binascii.Error, DecodeError, RecursionError) as error:
        raise UnreadableMessageError(f"a message that cannot be read ({type(error).__name__})") from error
    return message


def minus_change(price: Decimal, message: Mapping[str, Any]) -> Decimal:
    """Return price minus change, to the digits prices of this symbol have; 0 if the message states no change.

    A change of exactly 0 looks like none stated, as the format leaves out what is 0.
    """
    change = figure(message, "change")
    if not change or abs(price) > MAX_ABSOLUTE_USD:
        return ZERO
    by_change = round(price - change, -step(price, message).adjusted())
    return max(ZERO, by_change)


def step(price: Decimal, message: Mapping[str, Any]) -> Decimal:
    """Return the smallest step of a price; the message's `price_hint` is a whole number, which comes as text."""
    return tick_of(price, int(message.get("price_hint", 0)))


def figure(message: Mapping[str, Any], name: str) -> Decimal:
    """Return one of a message's lesser figures; 0 for one that it leaves out, or that no price can be."""
    value = Decimal(str(message.get(name) or 0))
    return value if value.is_finite() and LEAST_USD <= abs(value) <= MAX_ABSOLUTE_USD else ZERO


def decimal(number: object) -> Decimal:
    """Return a message's number; 0 stands for one left out, as in the format itself."""
    value = Decimal(str(number or 0))
    if not value.is_finite():
        raise UnreadableMessageError(f"a number that is not finite, {number}")
    return value
