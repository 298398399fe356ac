-- Create minute_bars_staging, where a session of minute_bars is computed and checked before readers see it.
-- Grain: one row per symbol and minute with at least one quote.
-- Cost: nothing.
CREATE TABLE IF NOT EXISTS minute_bars_staging (
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
LOCATION 's3://tapeline-000000000000-us-east-1/curated/minute_bars_staging/'
TBLPROPERTIES ('table_type' = 'ICEBERG', 'format' = 'parquet')
