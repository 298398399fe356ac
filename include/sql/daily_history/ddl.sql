-- Create daily_history, each symbol's sessions as a vendor tells them afterwards. Units and limits are in table.yaml.
-- Grain: one row per session and symbol.
-- Cost: nothing.
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
LOCATION 's3://tapeline-000000000000-us-east-1/curated/daily_history/'
TBLPROPERTIES ('table_type' = 'ICEBERG', 'format' = 'parquet')
