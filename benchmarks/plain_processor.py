"""The baseline, the per-record way of the tutorials: decode, query for the average, put item, put object."""

from __future__ import annotations

import base64
import json
from decimal import Decimal
from typing import Any


def handle(event: dict[str, Any], dynamodb: Any, s3: Any, table: str, bucket: str) -> None:
    """Store each record of a Kinesis event by itself."""
    for record in event["Records"]:
        quote = json.loads(base64.b64decode(record["kinesis"]["data"]), parse_float=Decimal, parse_int=Decimal)
        recent = dynamodb.query(
            TableName=table,
            KeyConditionExpression="symbol = :symbol",
            ExpressionAttributeValues={":symbol": {"S": quote["symbol"]}},
            ScanIndexForward=False,
            Limit=19,
        )["Items"]
        prices = [quote["price"], *(Decimal(item["price"]["N"]) for item in recent)]
        change = quote["price"] - quote["previous_close"]
        percent = change / quote["previous_close"] * 100
        numbers = {name: value for name, value in quote.items() if isinstance(value, Decimal)}
        computed = {"change": change, "change_percent": round(percent, 2), "moving_average": sum(prices) / len(prices)}
        dynamodb.put_item(
            TableName=table,
            Item={
                "symbol": {"S": quote["symbol"]},
                "timestamp": {"S": quote["timestamp"]},
                **{name: {"N": f"{value:f}"} for name, value in {**numbers, **computed}.items()},
                "anomaly": {"BOOL": abs(percent) > 5},
            },
        )
        body = base64.b64decode(record["kinesis"]["data"])
        s3.put_object(Bucket=bucket, Key=f"raw-data/{quote['symbol']}/{quote['timestamp']}.json", Body=body)
