"""One crawl of a Glue crawler, as a process of its own: `python -m localaws.crawl NAME CRAWL_ID`.

It works under the crawler's role and through the public APIs: it lists where the tables lie, reads what is new, infers
columns, adds columns and partitions, and says in the log group `/aws-glue/crawlers` what changed. Its last line of
output is the result as JSON; ended early, it has changed nothing by halves that the next crawl would not complete.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from localaws import settings
from localaws.clients import Clients, connect
from localaws.crawl_schema import Schema, merge, read_object, to_glue

LOG_GROUP = "/aws-glue/crawlers"


@dataclass(slots=True)
class Content:
    """What one target holds.

    Attributes
    ----------
    schema : Schema
        Types of all columns.
    partitions : dict
        Location of each partition by its values, of `keys`.
    skipped : list of str
        Objects that hold no JSON lines.
    """

    schema: Schema = field(default_factory=dict)
    keys: list[str] = field(default_factory=list)
    partitions: dict[tuple[str, ...], str] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)
    files: int = 0
    records: int = 0
    size: int = 0


@dataclass(slots=True)
class Changes:
    """What the crawl changed in the catalog, as messages and as the counts that GetCrawlerMetrics gives."""

    messages: list[str] = field(default_factory=list)
    tables_updated: list[str] = field(default_factory=list)


class Crawl:
    """One crawl.

    Parameters
    ----------
    crawler : dict
        The crawler as GetCrawler describes it.
    aws : Clients
        Clients under the crawler's role.
    memory : Path
        File that remembers what unchanged objects held, so that a crawl reads only new ones.
    """

    def __init__(self, crawler: dict[str, Any], aws: Clients, memory: Path) -> None:
        self._crawler = crawler
        self._glue: Any = aws.client("glue")
        self._s3: Any = aws.client("s3")
        self._memory = memory
        self._seen: dict[str, dict[str, Any]] = json.loads(memory.read_text()) if memory.exists() else {}
        self._current: dict[str, dict[str, Any]] = {}
        self.changes = Changes()

    def run(self) -> None:
        """Crawl every target."""
        for target in self._crawler["Targets"]["CatalogTargets"]:
            for name in target["Tables"]:
                table = self._glue.get_table(DatabaseName=target["DatabaseName"], Name=name)["Table"]
                content = self._find(table["StorageDescriptor"]["Location"].rstrip("/") + "/")
                self._update(target["DatabaseName"], table, content)
        self._memory.parent.mkdir(parents=True, exist_ok=True)
        self._memory.write_text(json.dumps(self._current))

    # Reading

    def _find(self, location: str) -> Content:
        """List a location and infer what its objects have in common."""
        bucket, _, prefix = location.removeprefix("s3://").partition("/")
        content = Content()
        folders: dict[tuple[str, ...], str] = {}
        with ThreadPoolExecutor(8) as pool:
            listed = list(self._list(bucket, prefix))
            contents = pool.map(lambda item: self._read(bucket, item), listed)
            for item, summary in zip(listed, contents, strict=True):
                self._current[f"s3://{bucket}/{item['Key']}"] = summary
                if summary["schema"] is None:
                    content.skipped.append(f"s3://{bucket}/{item['Key']}")
                    continue
                content.schema = merge(content.schema, summary["schema"])
                content.files, content.records, content.size = (
                    content.files + 1,
                    content.records + summary["records"],
                    content.size + item["Size"],
                )
                parts = item["Key"][len(prefix) :].split("/")[:-1]
                folders[tuple(parts)] = f"s3://{bucket}/{prefix}" + "".join(part + "/" for part in parts)
        if len({len(parts) for parts in folders}) == 1 and next(iter(folders)):
            content.keys = [
                _key_name(place, {parts[place] for parts in folders}) for place in range(len(next(iter(folders))))
            ]
            content.partitions = {
                tuple(part.partition("=")[2] or part for part in parts): url for parts, url in folders.items()
            }
        return content

    def _list(self, bucket: str, prefix: str) -> Iterator[dict[str, Any]]:
        for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for item in page.get("Contents", []):
                if item["Size"] and not re.search(r"/[_.]", "/" + item["Key"][len(prefix) :]):
                    yield item

    def _read(self, bucket: str, item: dict[str, Any]) -> dict[str, Any]:
        seen = self._seen.get(f"s3://{bucket}/{item['Key']}")
        if seen and seen["etag"] == item["ETag"]:
            return seen
        body = self._s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read()
        schema, records = read_object(body)
        return {"etag": item["ETag"], "schema": schema, "records": records}

    # The catalog

    def _update(self, database: str, table: dict[str, Any], content: Content) -> None:
        """Add what is new; a column keeps its type unless it has to grow, and never shrinks."""
        name, columns = table["Name"], table["StorageDescriptor"]["Columns"]
        keys = [key["Name"] for key in table.get("PartitionKeys") or []]
        policy = (self._crawler.get("SchemaChangePolicy") or {}).get("UpdateBehavior", "UPDATE_IN_DATABASE")
        added = [
            {"Name": column, "Type": to_glue(kind)}
            for column, kind in content.schema.items()
            if column not in keys and column not in {item["Name"].lower() for item in columns}
        ]
        grown = [] if _merges_new_columns_only(self._crawler) else _grown(columns, content.schema)
        if (added or grown) and policy == "UPDATE_IN_DATABASE":
            types = {item["Name"]: item["Type"] for item in grown}
            kept = [{**item, "Type": types.get(item["Name"], item["Type"])} for item in columns]
            table["StorageDescriptor"]["Columns"] = kept + added
            table["Parameters"] = {**(table.get("Parameters") or {}), **self._statistics(content)}
            self._glue.update_table(DatabaseName=database, TableInput=_as_input(table))
            self.changes.tables_updated.append(f"{database}.{name}")
        elif added or grown:
            self.changes.messages.append(f"WARN : Table {name} is left as it is, by UpdateBehavior {policy}")
        for word, listed in (("New column", added), ("Wider column", grown)):
            self.changes.messages += [f"INFO : {word} {item['Name']} {item['Type']} in table {name}" for item in listed]
        if keys == content.keys:
            self._add_partitions(database, table, content)
        elif content.files:
            self.changes.messages.append(
                f"ERROR : Folders give the keys {content.keys}, table {name} has {keys}: no partition was added"
            )
        self._report(content)

    def _add_partitions(self, database: str, table: dict[str, Any], content: Content) -> None:
        name = table["Name"]
        pages = self._glue.get_paginator("get_partitions").paginate(DatabaseName=database, TableName=name)
        existing = {
            tuple(item["Values"]): item.get("StorageDescriptor", {}).get("Location", "")
            for page in pages
            for item in page["Partitions"]
        }
        new = {values: url for values, url in content.partitions.items() if values not in existing}
        inputs = [
            {
                "Values": list(values),
                "StorageDescriptor": {**table["StorageDescriptor"], "Location": url},
                "Parameters": {"classification": "json"},
            }
            for values, url in sorted(new.items())
        ]
        for start in range(0, len(inputs), 100):
            self._glue.batch_create_partition(
                DatabaseName=database, TableName=name, PartitionInputList=inputs[start : start + 100]
            )
        if new:
            listed = [list(values) for values in sorted(new)]
            self.changes.messages.append(f"INFO : Created partitions with values {listed} for table {name}")
        for values in sorted(existing.keys() - content.partitions.keys()):
            self.changes.messages.append(
                f"WARN : Partition {list(values)} of table {name} has no objects; DeleteBehavior LOG keeps it"
            )

    def _statistics(self, content: Content) -> dict[str, str]:
        average = content.size // max(1, content.records)
        counts = {
            "objectCount": content.files,
            "recordCount": content.records,
            "sizeKey": content.size,
            "averageRecordSize": average,
        }
        return {"UPDATED_BY_CRAWLER": self._crawler["Name"], **{key: str(count) for key, count in counts.items()}}

    def _report(self, content: Content) -> None:
        self.changes.messages.append(
            f"INFO : Read {content.files} files with {content.records} records, {content.size} bytes"
        )
        self.changes.messages += [f"WARN : {url} is skipped: it holds no JSON lines" for url in content.skipped]


def _key_name(place: int, folders: set[str]) -> str:
    names = {folder.partition("=")[0] for folder in folders if "=" in folder}
    return names.pop().lower() if len(names) == 1 and all("=" in folder for folder in folders) else f"partition_{place}"


def _merges_new_columns_only(crawler: dict[str, Any]) -> bool:
    output = json.loads(crawler.get("Configuration") or "{}").get("CrawlerOutput") or {}
    return (output.get("Tables") or {}).get("AddOrUpdateBehavior") == "MergeNewColumns"


def _grown(columns: list[dict[str, str]], schema: Schema) -> list[dict[str, str]]:
    grown = []
    for column in columns:
        kind = schema.get(column["Name"].lower())
        wider = to_glue(merge({"": column["Type"]}, {"": kind})[""]) if kind is not None else column["Type"]
        if wider != column["Type"] and "<" not in wider + column["Type"]:
            grown.append({"Name": column["Name"], "Type": wider})
    return grown


def _as_input(table: dict[str, Any]) -> dict[str, Any]:
    keys = ("Name", "Description", "Owner", "StorageDescriptor", "PartitionKeys", "TableType", "Parameters")
    return {key: table[key] for key in keys if table.get(key)}


def under_role(owner: Clients, role: str, crawler: str) -> Clients:
    """Return clients that have the crawler's role, as Glue's own have."""
    arn = role if role.startswith("arn:") else f"arn:aws:iam::{settings.ACCOUNT_ID}:role/{role}"
    keys = owner.client("sts").assume_role(RoleArn=arn, RoleSessionName=f"crawler-{crawler}"[:64])["Credentials"]
    return connect(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])


def log(logs: Any, stream: str, crawl: str, messages: list[str]) -> None:
    """Write messages to the crawlers' log group."""
    for call, names in ((logs.create_log_group, {}), (logs.create_log_stream, {"logStreamName": stream})):
        try:
            call(logGroupName=LOG_GROUP, **names)
        except logs.exceptions.ResourceAlreadyExistsException:
            continue
    now = int(time.time() * 1000)
    events = [{"timestamp": now, "message": f"[{crawl}] {message}"} for message in messages]
    logs.put_log_events(logGroupName=LOG_GROUP, logStreamName=stream, logEvents=events)


def main(name: str, number: str) -> None:
    """Run a crawl and print its result."""
    owner = connect()
    crawler = owner.client("glue").get_crawler(Name=name)["Crawler"]
    aws = under_role(owner, crawler["Role"], name) if crawler.get("Role") else owner
    crawl = Crawl(crawler, aws, settings.home() / "crawlers" / f"{name}-objects.json")
    started, error = time.monotonic(), ""
    try:
        crawl.run()
    except Exception as problem:  # noqa: BLE001 (whatever it is, the crawl has failed for that reason)
        error = f"{type(problem).__name__}: {problem}"
    changes = crawl.changes
    print(json.dumps({"state": "STOPPING"}), flush=True)
    ending = f"ERROR : {error}" if error else f"BENCHMARK : Finished after {time.monotonic() - started:.1f} seconds"
    log(
        aws.client("logs"),
        name,
        number,
        [f"BENCHMARK : Running Start Crawl for Crawler {name}", *changes.messages, ending],
    )
    document = {
        "error": error,
        "tables_updated": changes.tables_updated,
    }
    print(json.dumps(document), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
