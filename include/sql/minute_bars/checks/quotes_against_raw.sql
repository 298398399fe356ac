-- The staged minute bars count every quote of the raw zone once.
-- Grain: one row per symbol where the counts differ.
-- Source: minute_bars_staging, stock_data_table.
-- Cost: raw, one partition.
-- Severity: fail
-- Note: give `ingested_until` as it was given to staging, or quotes that arrived in between make it fail.
WITH

params AS (
    SELECT
        DATE '2026-03-12' AS session,  -- the session to check
        '9999-12-31T00:00:00Z' AS ingested_until  -- quotes that came later are left for the next run
),

raw_quotes AS (
    SELECT DISTINCT
        stock_data_table.symbol,
        FROM_ISO8601_TIMESTAMP(stock_data_table.timestamp) AS quoted_at
    FROM stock_data_table
    CROSS JOIN params
    WHERE
        stock_data_table.dt = CAST(params.session AS varchar)
        AND stock_data_table.ingested_at <= params.ingested_until
),

raw_counts AS (
    SELECT
        symbol,
        COUNT(*) AS quotes
    FROM raw_quotes
    GROUP BY symbol
),

staged_counts AS (
    SELECT
        minute_bars_staging.symbol,
        SUM(minute_bars_staging.quotes) AS quotes
    FROM minute_bars_staging
    CROSS JOIN params
    WHERE minute_bars_staging.session = params.session
    GROUP BY minute_bars_staging.symbol
)

SELECT
    COALESCE(raw_counts.symbol, staged_counts.symbol) AS symbol,
    COALESCE(raw_counts.quotes, 0) AS raw_quotes,
    COALESCE(staged_counts.quotes, 0) AS staged_quotes
FROM raw_counts
FULL OUTER JOIN staged_counts ON raw_counts.symbol = staged_counts.symbol
WHERE COALESCE(raw_counts.quotes, 0) <> COALESCE(staged_counts.quotes, 0)
ORDER BY symbol
