-- Create daily_history; units and limits of its columns are in table.yaml.
-- Grain: one row per session and symbol, as a vendor gives it afterwards.
-- Cost: nothing.
-- Note: put your stack's bucket into LOCATION; `tapeline query daily_history/ddl --dry-run` prints it so.
-- Generated: by `make sql` from daily_history/table.yaml; change it there.
CREATE TABLE IF NOT EXISTS daily_history (
    session date,
    symbol string,
    open_usd double,
    high_usd double,
    low_usd double,
    close_usd double,
    volume_shares bigint,
    vendor string,
    fetched_at_utc timestamp
)
PARTITIONED BY (MONTH(session))
LOCATION 's3://<bucket of your stack>/curated/daily_history/'
TBLPROPERTIES ('table_type' = 'ICEBERG', 'format' = 'parquet')
