-- The newest quote of each symbol on one trading date, with its change and how long it took to reach the producer.
-- Grain: one row per symbol.
-- Source: stock_data_table.
-- Cost: raw, one partition.
-- Note: figures that the stream found suspect are left out: a quote with such a price is passed over, a change of such
--   a previous close and a volume are NULL. Of corrected quotes the last version is shown.
-- Plot: bars of=change_pct by=symbol
WITH params AS (
    SELECT (SELECT DATE(MAX(newest.dt)) FROM "stock_data_table$partitions" AS newest) AS session  -- the trading date
),

received AS (
    SELECT
        raw_quotes.symbol,
        CAST(FROM_ISO8601_TIMESTAMP(raw_quotes.timestamp) AT TIME ZONE 'UTC' AS timestamp) AS quoted_at_utc,
        CAST(FROM_ISO8601_TIMESTAMP(raw_quotes.ingested_at) AT TIME ZONE 'UTC' AS timestamp) AS ingested_at_utc,
        raw_quotes.price,
        raw_quotes.previous_close,
        raw_quotes.volume,
        raw_quotes.source,
        COALESCE(raw_quotes.revision, 0) AS revision,
        COALESCE(' ' || ARRAY_JOIN(raw_quotes.suspect, ' '), '') AS suspect,
        CAST(FROM_ISO8601_TIMESTAMP(raw_quotes.confirms) AT TIME ZONE 'UTC' AS timestamp) AS confirms
    FROM stock_data_table AS raw_quotes
    CROSS JOIN params
    WHERE raw_quotes.dt = CAST(params.session AS varchar)
),

copies AS (
    SELECT
        *,
        ROW_NUMBER() OVER (
            PARTITION BY symbol, quoted_at_utc ORDER BY revision DESC, ingested_at_utc, volume, price
        ) AS copy_number,
        MIN(confirms) OVER (PARTITION BY symbol ORDER BY quoted_at_utc DESC) AS confirmed_from
    FROM received
),

ranked AS (
    SELECT
        symbol,
        quoted_at_utc,
        ingested_at_utc,
        price,
        source,
        IF(suspect LIKE '% previous_close:%', NULL, NULLIF(previous_close, 0)) AS previous_close,
        IF(suspect LIKE '% volume:%', NULL, volume) AS volume,
        ROW_NUMBER() OVER (PARTITION BY symbol ORDER BY quoted_at_utc DESC) AS age_rank
    FROM copies
    WHERE
        copy_number = 1
        AND price > 0
        AND suspect NOT LIKE '% price:withdrawn%'
        AND (suspect NOT LIKE '% price:%' OR COALESCE(confirmed_from <= quoted_at_utc, FALSE))
)

SELECT
    symbol,
    quoted_at_utc,
    price AS price_usd,
    CAST(
        ROUND(TRY_CAST((price - previous_close) * 100 / previous_close AS decimal(38, 8)), 2) AS double
    ) AS change_pct,
    volume AS volume_shares,
    source,
    DATE_DIFF('second', quoted_at_utc, ingested_at_utc) AS ingestion_delay_seconds
FROM ranked
WHERE age_rank = 1
ORDER BY symbol
