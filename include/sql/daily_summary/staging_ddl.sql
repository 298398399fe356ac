-- Create daily_summary_staging, where a session of daily_summary is computed and checked before readers see it.
-- Grain: one row per session and symbol with at least one quote.
-- Cost: nothing.
-- Note: put your stack's bucket into LOCATION; `tapeline query daily_summary/staging_ddl --dry-run` prints it so.
-- Generated: by `make sql` from daily_summary/table.yaml; change it there.
CREATE TABLE IF NOT EXISTS daily_summary_staging (
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
LOCATION 's3://<bucket of your stack>/curated/daily_summary_staging/'
TBLPROPERTIES ('table_type' = 'ICEBERG', 'format' = 'parquet')
