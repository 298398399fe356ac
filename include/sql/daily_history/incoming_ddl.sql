-- Create daily_history_incoming, where a chunk of history lies for the moment between its fetch and its MERGE.
-- Grain: one row per session and symbol of the chunks in it.
-- Cost: nothing.
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
LOCATION 's3://tapeline-000000000000-us-east-1/curated/daily_history_incoming/'
