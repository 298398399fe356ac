-- Create minute_bars; units and limits of its columns are in table.yaml.
-- Grain: one row per symbol and minute with at least one quote.
-- Cost: nothing.
-- Note: put your stack's bucket into LOCATION; `tapeline query minute_bars/ddl --dry-run` prints it so.
-- Generated: by `make sql` from minute_bars/table.yaml; change it there.
CREATE TABLE IF NOT EXISTS minute_bars (
    session date,
    symbol string,
    minute_utc timestamp,
    phase string,
    open_usd double,
    high_usd double,
    low_usd double,
    close_usd double,
    volume_shares bigint,
    turnover_usd double,
    previous_close_usd double,
    quotes bigint,
    late_quotes bigint,
    repeated_quotes bigint,
    first_quote_utc timestamp,
    last_quote_utc timestamp
)
PARTITIONED BY (session)
LOCATION 's3://<bucket of your stack>/curated/minute_bars/'
TBLPROPERTIES ('table_type' = 'ICEBERG', 'format' = 'parquet')
