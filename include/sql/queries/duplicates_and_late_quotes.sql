-- What is odd in one day of the raw zone: quotes stored more than once, and quotes that came after a newer one.
-- Grain: one row per symbol, and one for all of them (symbol NULL).
-- Source: stock_data_table.
-- Cost: raw, one partition.
-- Note: a repeated quote has symbol, time and revision of another; a retried batch leaves some, and they do no harm. A
--   correction is a higher revision of a quote. A late quote reached the producer after a newer one of its symbol;
--   longest_delay_seconds is by how much it was older.
-- Total: symbol
WITH params AS (
    SELECT (SELECT DATE(MAX(newest.dt)) FROM "stock_data_table$partitions" AS newest) AS session  -- the trading date
),

received AS (
    SELECT
        raw_quotes.symbol,
        CAST(FROM_ISO8601_TIMESTAMP(raw_quotes.timestamp) AT TIME ZONE 'UTC' AS timestamp) AS quoted_at,
        CAST(FROM_ISO8601_TIMESTAMP(raw_quotes.ingested_at) AT TIME ZONE 'UTC' AS timestamp) AS ingested_at,
        COALESCE(raw_quotes.revision, 0) AS revision
    FROM stock_data_table AS raw_quotes
    CROSS JOIN params
    WHERE raw_quotes.dt = CAST(params.session AS varchar)
),

ordered AS (
    SELECT
        symbol,
        quoted_at,
        revision,
        ROW_NUMBER() OVER (PARTITION BY symbol, quoted_at ORDER BY revision, ingested_at) AS record_number,
        ROW_NUMBER() OVER (PARTITION BY symbol, quoted_at, revision ORDER BY ingested_at) AS copy_number,
        MAX(quoted_at) OVER (
            PARTITION BY symbol ORDER BY ingested_at, quoted_at
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS newest_before
    FROM received
),

judged AS (
    SELECT
        symbol,
        record_number = 1 AS is_quote,
        record_number > 1 AND copy_number = 1 AS is_correction,
        copy_number > 1 AS is_repeated,
        record_number = 1 AND revision = 0 AND quoted_at < newest_before AS is_late,
        DATE_DIFF('second', quoted_at, newest_before) AS delay_seconds
    FROM ordered
)

SELECT
    symbol,
    COUNT(*) AS records,
    COUNT_IF(is_quote) AS quotes,
    COUNT_IF(is_correction) AS corrections,
    COUNT_IF(is_repeated) AS repeated_quotes,
    COUNT_IF(is_late) AS late_quotes,
    MAX(IF(is_late, delay_seconds)) AS longest_delay_seconds
FROM judged
GROUP BY GROUPING SETS ((symbol), ())
ORDER BY symbol NULLS FIRST
