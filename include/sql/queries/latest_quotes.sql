-- The newest quote of each symbol on one trading date, with its change and how long it took to reach the producer.
-- Grain: one row per symbol.
-- Source: stock_data_table.
-- Cost: raw, one partition.
WITH

params AS (
    SELECT DATE '2026-03-12' AS session  -- the trading date
),

quotes AS (
    SELECT
        raw_quotes.symbol,
        CAST(FROM_ISO8601_TIMESTAMP(raw_quotes.timestamp) AT TIME ZONE 'UTC' AS timestamp) AS quoted_at_utc,
        CAST(FROM_ISO8601_TIMESTAMP(raw_quotes.ingested_at) AT TIME ZONE 'UTC' AS timestamp) AS ingested_at_utc,
        raw_quotes.price,
        raw_quotes.previous_close,
        raw_quotes.volume,
        raw_quotes.source
    FROM stock_data_table AS raw_quotes
    CROSS JOIN params
    WHERE raw_quotes.dt = CAST(params.session AS varchar)
),

ranked AS (
    SELECT
        *,
        ROW_NUMBER() OVER (PARTITION BY symbol ORDER BY quoted_at_utc DESC, ingested_at_utc) AS age_rank
    FROM quotes
)

SELECT
    symbol,
    quoted_at_utc,
    price AS price_usd,
    CAST(
        ROUND(CAST((price - previous_close) * 100 / previous_close AS decimal(18, 8)), 2) AS double
    ) AS change_pct,
    volume AS volume_shares,
    source,
    DATE_DIFF('second', quoted_at_utc, ingested_at_utc) AS ingestion_delay_seconds
FROM ranked
WHERE age_rank = 1
ORDER BY symbol
