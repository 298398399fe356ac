-- Create anomalies_staging, where a session of anomalies is computed and checked before readers see it.
-- Grain: one row per session, symbol and event; an event is one unbroken run of quotes for which the rule holds.
-- Cost: nothing.
-- Note: put your stack's bucket into LOCATION; `tapeline query anomalies/staging_ddl --dry-run` prints it so.
-- Generated: by `make sql` from anomalies/table.yaml; change it there.
CREATE TABLE IF NOT EXISTS anomalies_staging (
    session date,
    symbol string,
    started_at_utc timestamp,
    ended_at_utc timestamp,
    duration_seconds bigint,
    lasted_to_the_end boolean,
    rule_name string,
    direction string,
    phase string,
    quotes bigint,
    previous_close_usd double,
    start_price_usd double,
    start_change_pct double,
    peak_at_utc timestamp,
    peak_price_usd double,
    peak_change_pct double
)
PARTITIONED BY (MONTH(session))
LOCATION 's3://<bucket of your stack>/curated/anomalies_staging/'
TBLPROPERTIES ('table_type' = 'ICEBERG', 'format' = 'parquet')
