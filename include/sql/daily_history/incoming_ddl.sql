-- Create daily_history_incoming, where a chunk of history lies for the moment between its fetch and its MERGE.
-- Grain: one row per session and symbol of the chunks in it.
-- Cost: nothing.
-- Note: put your stack's bucket into LOCATION; `tapeline query daily_history/incoming_ddl --dry-run` prints it so.
-- Generated: by `make sql` from daily_history/table.yaml; change it there.
CREATE EXTERNAL TABLE IF NOT EXISTS daily_history_incoming (
    session string,
    symbol string,
    open_usd double,
    high_usd double,
    low_usd double,
    close_usd double,
    volume_shares bigint,
    vendor string,
    fetched_at_utc string
)
ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'
LOCATION 's3://<bucket of your stack>/curated/daily_history_incoming/'
