"""Athena on the laptop: the service's API in front of DuckDB, with Athena's types, names and errors.

A statement goes through these modules, in this order:

- `api` answers the service's operations, and `executions` keeps each execution and its outcome on disk;
- `pool` hands a statement to a `worker` process, so that a slow query blocks nobody and can be stopped;
- `engine` says what kind of statement it is and runs it: `ddl`, `writes` and `iceberg` change the catalog and the lake,
  `query` answers a SELECT;
- `translate` checks a SELECT against the types of the Glue `catalog` as Athena would (`expressions`, `functions`,
  `casts`, `types`) and writes it in DuckDB's SQL; whatever it does not know it refuses;
- `storage` reads and writes S3, `scans` puts a table's objects before DuckDB, `results` writes the answer as Athena does.
"""
