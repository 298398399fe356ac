-- Create daily_summary, each symbol's session in one row. Columns, units and limits are told in table.yaml.
-- Grain: one row per session and symbol with at least one quote.
-- Cost: nothing.
CREATE TABLE IF NOT EXISTS daily_summary (
    session date,
    symbol string,
    open_usd double,
    high_usd double,
    low_usd double,
    close_usd double,
    volume_shares bigint,
    vwap_usd double,
    previous_close_usd double,
    change_usd double,
    change_pct double,
    gap_pct double,
    pre_high_usd double,
    pre_low_usd double,
    post_high_usd double,
    post_low_usd double,
    anomalies bigint,
    quotes bigint,
    regular_quotes bigint,
    late_quotes bigint,
    repeated_quotes bigint,
    first_quote_utc timestamp,
    last_quote_utc timestamp,
    minutes_with_quotes bigint,
    expected_minutes bigint,
    completeness_pct double
)
PARTITIONED BY (MONTH(session))
LOCATION 's3://tapeline-000000000000-us-east-1/curated/daily_summary/'
TBLPROPERTIES ('table_type' = 'ICEBERG', 'format' = 'parquet')
