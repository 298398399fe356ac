"""What must survive a kill of the server: the streams' records and the tables' items, written as they change.

The base keeps its state in memory and writes it when it stops: all of it, at once, which takes longer the more there
is, and nothing if it is killed. Here the three stores that grow with every quote (Kinesis records, DynamoDB items,
records of DynamoDB streams) rest in SQLite, and what a request changed is committed before its answer leaves: a kill
loses nothing that a client was told is stored. All else is small: the base's own files, which it writes every minute.

It stands at the base's record lists and item maps, and at the two functions through which every item passes.
`test_journal.py` fails if they move.
"""

from __future__ import annotations

import asyncio
import fcntl
import gc
import logging
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from msgspec.json import decode, encode

from localaws import ministack_names as base
from localaws.bounds import expire_items
from localaws.extensions import Answer, Handler
from localaws.packed import PackedList, PackedMap, text_of

logger = logging.getLogger("localaws.journal")

SAVE_SECONDS = 60.0
RETENTION_SECONDS = 24 * 3600
"""Both kinds of streams keep their records for a day."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS record (  -- one row per shard and commit
    stream TEXT, shard TEXT, sequence TEXT, arrived REAL, documents BLOB, PRIMARY KEY (stream, shard, sequence));
CREATE TABLE IF NOT EXISTS change (  -- one row per DynamoDB stream and commit
    stream TEXT, position INTEGER, created REAL, documents BLOB, PRIMARY KEY (stream, position));
CREATE TABLE IF NOT EXISTS item (
    table_id TEXT, hash TEXT, range TEXT, document BLOB, PRIMARY KEY (table_id, hash, range));
"""


class Journal:
    """The SQLite file, which need not exist, and the base's stores that it follows."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(path, check_same_thread=False)
        # A commit is in the operating system's hands at once and on the disk soon: safe against a kill of this process,
        # and whole, if a few seconds old, after a power cut.
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = NORMAL")
        self._database.execute("PRAGMA wal_autocheckpoint = 10000")
        self._database.executescript(_SCHEMA)
        self._touched: list[tuple[str, str, str, dict[str, Any]]] = []
        self._written_records: dict[tuple[str, str], str] = {}
        self._written_changes: dict[str, int] = {}

    def follow(self) -> None:
        """Note each item that the base stores or removes, and commit before each answer of the two services."""
        base.SET_ITEM.wrap(lambda set_item: self._noting(packing(set_item)))
        base.REMOVE_ITEM.wrap(self._noting)
        for service in ("kinesis", "dynamodb"):
            base.SERVICE_HANDLERS[service] = self._committing(base.SERVICE_HANDLERS[service])
        base.KINESIS_STATE.wrap(lambda state: _without_bulk(state, base.STREAMS, _without_records))
        base.DYNAMODB_STATE.wrap(lambda state: _without_bulk(state, base.TABLES, lambda table: {**table, "items": {}}))

    def restore(self) -> dict[str, int]:
        """Fill the base's stores after it has read its own files; rows of what no longer exists are dropped.

        Returns
        -------
        dict
            How many records, items and changes there are.
        """
        counts = {"records": 0, "items": 0, "changes": 0}
        streams = {_identity(stream): stream for stream in base.STREAMS.value.all_values()}
        for identity, stream in streams.items():
            stream["shards"] = {name: {**shard, "records": []} for name, shard in stream["shards"].items()}
            for name, shard in stream["shards"].items():
                rows = self._database.execute(
                    "SELECT documents FROM record WHERE stream = ? AND shard = ? ORDER BY sequence", (identity, name)
                )
                shard["records"] += [record for (documents,) in rows for record in decode(documents)]
                counts["records"] += len(shard["records"])
                if shard["records"]:
                    self._written_records[identity, name] = shard["records"][-1]["SequenceNumber"]
        tables = {table["TableId"]: table for table in base.TABLES.value.all_values()}
        for table_id, table in tables.items():
            rows = self._database.execute("SELECT hash, range, document FROM item WHERE table_id = ?", (table_id,))
            for hash_value, range_value, document in rows:
                table["items"].setdefault(hash_value, PackedMap()).put_packed(range_value, document)
            base.ITEMS_REPLACED(table)
            counts["items"] += table["ItemCount"]
        changes = {arn: scope for scope, arn in _change_streams()}
        for arn, scope in changes.items():
            counts["changes"] += self._restore_changes(arn, scope)
        self._drop_orphans({"record": streams, "item": tables, "change": changes})
        return counts

    def commit(self) -> None:
        """Write what changed since the last commit."""
        touched, self._touched = self._touched, []
        with self._database:
            self._write_records()
            self._write_items(touched)
            self._write_changes()

    def expire(self) -> None:
        """Delete the stream records that the services no longer keep; of each DynamoDB stream the last ones stay.

        They tell the stream's position, which iterators count by.
        """
        cutoff = time.time() - RETENTION_SECONDS
        with self._database:
            self._database.execute("DELETE FROM record WHERE arrived < ?", (cutoff,))
            self._database.execute(
                "DELETE FROM change WHERE created < ? AND position < "
                "(SELECT max(position) FROM change AS newest WHERE newest.stream = change.stream)",
                (cutoff,),
            )

    def close(self) -> None:
        """Write what is left and close the file."""
        self.commit()
        self._database.close()

    def _noting(self, change: Callable[..., Any]) -> Callable[..., Any]:
        def noted(table: dict[str, Any], hash_value: str, range_value: str, *rest: Any) -> Any:
            self._touched.append((table["TableId"], hash_value, range_value, table))
            return change(table, hash_value, range_value, *rest)

        return noted

    def _committing(self, handler: Handler) -> Handler:
        async def committed(
            method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, list[str]]
        ) -> Answer:
            answer = await handler(method, path, headers, body, query)
            self.commit()
            return answer

        return committed

    def _write_records(self) -> None:
        for stream in base.STREAMS.value.all_values():
            identity = _identity(stream)
            for name, shard in stream["shards"].items():
                written = self._written_records.get((identity, name), "")
                if records := _behind(shard["records"], written):
                    last = records[-1]["SequenceNumber"]
                    row = (identity, name, last, records[-1]["ApproximateArrivalTimestamp"], encode(records))
                    self._database.execute("INSERT INTO record VALUES (?, ?, ?, ?, ?)", row)
                    self._written_records[identity, name] = last

    def _write_items(self, touched: list[tuple[str, str, str, dict[str, Any]]]) -> None:
        for table_id, hash_value, range_value, table in touched:
            document = text_of(table["items"].get(hash_value, {}), range_value)
            key = (table_id, hash_value, range_value)
            if document is None:
                self._database.execute("DELETE FROM item WHERE table_id = ? AND hash = ? AND range = ?", key)
            else:
                self._database.execute("INSERT OR REPLACE INTO item VALUES (?, ?, ?, ?)", (*key, document))

    def _write_changes(self) -> None:
        for scope, arn in _change_streams():
            records = base.CHANGES.value.get_scoped(*scope, PackedList())
            first = base.CHANGES_TRIMMED.value.get_scoped(*scope, 0)
            begin = max(first, self._written_changes.get(arn, -1) + 1)
            end = first + len(records)
            if begin < end:
                created = records[-1]["dynamodb"]["ApproximateCreationDateTime"]
                row = (arn, begin, created, records.packed_from(begin - first))
                self._database.execute("INSERT INTO change VALUES (?, ?, ?, ?)", row)
                self._written_changes[arn] = end - 1

    def _restore_changes(self, arn: str, scope: tuple[str, str, str]) -> int:
        query = "SELECT position, documents FROM change WHERE stream = ? ORDER BY position"
        rows = self._database.execute(query, (arn,)).fetchall()
        records = PackedList()
        records.extend_packed(documents for _, documents in rows)
        first = rows[0][0] if rows else 0
        base.CHANGES_TRIMMED.value.set_scoped(*scope, first)
        base.CHANGES.value.set_scoped(*scope, records)
        self._written_changes[arn] = first + len(records) - 1
        return len(records)

    def _drop_orphans(self, existing: dict[str, dict[str, Any]]) -> None:
        with self._database:
            for table, owners in existing.items():
                column = "table_id" if table == "item" else "stream"
                marks = ",".join("?" * len(owners))
                statement = f"DELETE FROM {table} WHERE {column} NOT IN ({marks})"  # noqa: S608 (our own names)
                self._database.execute(statement, list(owners))


class Keeper:
    """Saves the base's own files every minute, and knows at the next start whether it was stopped or killed.

    Parameters
    ----------
    folder : Path
        Of the local AWS's state.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._journal = Journal(folder / "journal.sqlite")
        self._lock = (folder / "lock").open("w")
        self._running = folder / "running"
        self._report = folder / "last-start.txt"
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Restore the journal's stores, say what was found, and save from now on."""
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RuntimeError(f"another local AWS runs over {self._folder}; stop it first") from None
        counts = self._journal.restore()
        self._journal.follow()
        report = self._found(counts)
        self._report.write_text(report + "\n")
        print(report, flush=True)
        self._running.write_text(str(time.time()))
        self._task = asyncio.create_task(self._save_regularly())
        # SIGUSR1 asks for a save, such as after a deployment, so that no kill can take that back.
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, self.save)

    async def stop(self) -> None:
        """Stop saving; the base itself saves once more after this."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            asyncio.get_running_loop().remove_signal_handler(signal.SIGUSR1)
        self._journal.close()
        self._running.unlink(missing_ok=True)

    async def _save_regularly(self) -> None:
        while True:
            await asyncio.sleep(SAVE_SECONDS)
            self.save()

    def save(self) -> float:
        """Have the base write its files; return the seconds for which that held up the server."""
        started = time.perf_counter()
        expire_items()
        self._journal.commit()
        self._journal.expire()
        base.save_all(base.STATE())
        # What lives by now is data: spare the collector the walk over millions of items that are no garbage.
        gc.freeze()
        seconds = time.perf_counter() - started
        if seconds > 1:
            logger.warning("saving the state held up the local AWS for %.1f s", seconds)
        return seconds

    def _found(self, counts: dict[str, int]) -> str:
        kept = (
            f"{_count_files(self._folder / 's3'):,} objects in S3, {counts['records']:,} records on Kinesis streams, "
            f"{counts['items']:,} items in DynamoDB"
        )
        if not self._running.exists():
            return f"Local AWS: found {kept}."
        saved = max((path.stat().st_mtime for path in (self._folder / "state").glob("*.json")), default=None)
        if saved is None:
            return f"Local AWS: it was killed before it first saved its state. Found {kept}; deploy the stack again."
        return (
            f"Local AWS: it was killed, not stopped. Complete up to the last request: {kept}. "
            f"As of {time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(saved))}: everything else (deployment, users, "
            "queues, mail subscriptions, metrics); what changed after that, at most a minute's worth, is lost. "
            "Deploying the stack again puts it back."
        )


def packing(set_item: Callable[..., Any]) -> Callable[..., Any]:
    """Let the base put an item into a packed map, and the record of the change that follows into a packed list."""

    def packed(table: dict[str, Any], hash_value: str, range_value: str, item: dict[str, Any]) -> Any:
        if hash_value not in table["items"]:
            table["items"][hash_value] = PackedMap()
        if table["TableName"] not in base.CHANGES.value:
            base.CHANGES.value[table["TableName"]] = PackedList()
        return set_item(table, hash_value, range_value, item)

    return packed


def _without_bulk(
    get_state: Callable[[], dict[str, Any]], store: base.Name, strip: Callable[[dict[str, Any]], dict[str, Any]]
) -> Callable[[], dict[str, Any]]:
    """Return a function of the base that says what to save, and sees a store without what the journal holds."""

    def stripped() -> dict[str, Any]:
        whole = store.value
        light = base.AccountRegionScopedDict()
        for scope, value in whole.all_items():
            light.set_scoped(*scope, strip(value))
        store.set(light)
        try:
            return get_state()
        finally:
            store.set(whole)

    return stripped


def _without_records(stream: dict[str, Any]) -> dict[str, Any]:
    return {**stream, "shards": {name: {**shard, "records": []} for name, shard in stream["shards"].items()}}


def _identity(stream: dict[str, Any]) -> str:
    """Name a stream apart from a former one of the same name."""
    return f"{stream['StreamARN']}@{stream['CreationTimestamp']}"


def _change_streams() -> list[tuple[tuple[str, str, str], str]]:
    """List the tables (account, region, name) with a change stream, and its ARN."""
    return [
        (scope, table["LatestStreamArn"])
        for scope, table in base.TABLES.value.all_items()
        if (table.get("StreamSpecification") or {}).get("StreamEnabled") and table.get("LatestStreamArn")
    ]


def _behind(records: list[dict[str, Any]], sequence_number: str) -> list[dict[str, Any]]:
    """Return the records at the end of a list that come after a sequence number."""
    start = len(records)
    while start and records[start - 1]["SequenceNumber"] > sequence_number:
        start -= 1
    return records[start:]


def _count_files(folder: Path) -> int:
    """Count objects: the base keeps each in a file, and its headers in another."""
    return sum(1 for path in folder.rglob("*") if path.is_file() and not path.name.endswith(".meta.json"))
