-- The quotes of some sessions as the alert rules see them, in time order.
-- Grain: one row per symbol and time whose price counts.
-- Source: stock_data_table.
-- Cost: raw, every partition of the range: hundreds of megabytes for each busy session.
-- Note: of versions the highest revision stands, of copies the first to arrive. A price that was suspect as it came is
--   left out, also if later quotes confirmed it, as the stream does. change_pct is NULL, and volume 0, where a figure
--   of it is suspect.
WITH params AS (
    SELECT
        DATE '2026-03-11' AS first_session,  -- first session of the range
        DATE '2026-03-12' AS last_session  -- last session of the range
),

versions AS (
    SELECT
        raw_quotes.dt,
        raw_quotes.symbol,
        raw_quotes.timestamp AS quoted_at,
        raw_quotes.price,
        raw_quotes.previous_close,
        raw_quotes.volume,
        COALESCE(' ' || ARRAY_JOIN(raw_quotes.suspect, ' '), '') AS suspect,
        ROW_NUMBER() OVER (
            PARTITION BY raw_quotes.symbol, raw_quotes.timestamp
            ORDER BY COALESCE(raw_quotes.revision, 0) DESC, raw_quotes.ingested_at ASC
        ) AS standing
    FROM stock_data_table AS raw_quotes
    CROSS JOIN params
    WHERE raw_quotes.dt BETWEEN CAST(params.first_session AS varchar) AND CAST(params.last_session AS varchar)
)

SELECT
    dt,
    symbol,
    quoted_at,
    price,
    IF(suspect LIKE '% previous_close:%', NULL, ROUND((price / previous_close - 1) * 100, 2)) AS change_pct,
    IF(suspect LIKE '% volume:%', 0, volume) AS volume
FROM versions
WHERE standing = 1 AND suspect NOT LIKE '% price:%' AND price > 0 AND previous_close > 0
ORDER BY quoted_at, symbol
