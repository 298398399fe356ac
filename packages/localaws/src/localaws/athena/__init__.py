"""Athena on the laptop: the service's API in front of DuckDB, with Athena's types, names and errors.

A statement goes through these modules, in this order:

- `api` answers the service's operations, `executions` keeps each execution and its outcome, `pages` reads results;
- `pool` hands a statement to a `worker` process, so that a slow query blocks nobody and can be stopped;
- `engine` says what kind of statement it is: `ddl`, `listing` and `definitions` are about the catalog, `writes`,
  `changes` and `maintenance` about data, `prepared` about prepared statements, `query` about a SELECT; each is given a
  `work`, the statement's connection, catalog and lake;
- `grammar` parses a SELECT, `names` resolves its names, `translate` writes it in DuckDB's SQL scope by scope:
  `relations`, `expressions` and `calls` check its parts against `types` (`operators`, `casts`, `moments`, and the
  functions of `functions` and `special`), and refuse what they do not know;
- `catalog` reads Glue, `storage` S3; `prune` finds which partitions a query can need, `scans` and `iceberg_scan` put
  their `files` before DuckDB (many small ones as `bundles`), `iceberg` writes and commits new ones, `results` stores
  the answer as Athena does.
"""
