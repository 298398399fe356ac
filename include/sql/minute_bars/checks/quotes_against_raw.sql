-- The staged minute bars count every quote of the raw zone once, those aside whose price does not count.
-- Grain: one row per symbol where the counts differ.
-- Source: minute_bars_staging, stock_data_table.
-- Cost: raw, one partition.
-- Severity: fail
-- Scope: symbol
-- Note: a price does not count if it is 0, withdrawn, or suspect outside of a run that was confirmed; of a corrected
--   quote the last version is looked at. set_aside is how many quotes that were. Give `ingested_until` as it was given
--   to staging, or quotes that arrived in between make it fail.
WITH params AS (
    SELECT
        DATE '2026-03-12' AS session,  -- the session to check
        '9999-12-31T00:00:00Z' AS ingested_until  -- quotes that came later are left for the next run
),

received AS (
    SELECT
        raw_quotes.symbol,
        raw_quotes.ingested_at,
        raw_quotes.volume,
        raw_quotes.price,
        FROM_ISO8601_TIMESTAMP(raw_quotes.timestamp) AS quoted_at,
        FROM_ISO8601_TIMESTAMP(raw_quotes.confirms) AS confirms,
        COALESCE(raw_quotes.revision, 0) AS revision,
        COALESCE(' ' || ARRAY_JOIN(raw_quotes.suspect, ' '), '') AS suspect
    FROM stock_data_table AS raw_quotes
    CROSS JOIN params
    WHERE
        raw_quotes.dt = CAST(params.session AS varchar)
        AND raw_quotes.ingested_at <= params.ingested_until
),

confirmed_runs AS (
    SELECT DISTINCT
        symbol,
        confirms AS first_quoted_at,
        quoted_at AS last_quoted_at
    FROM received
    WHERE confirms IS NOT NULL
),

copies AS (
    SELECT
        *,
        ROW_NUMBER() OVER (
            PARTITION BY symbol, quoted_at
            ORDER BY revision DESC, FROM_ISO8601_TIMESTAMP(ingested_at), volume, price
        ) AS copy_number
    FROM received
),

quotes AS (
    SELECT
        copies.symbol,
        copies.quoted_at,
        BOOL_OR(
            copies.price > 0
            AND copies.suspect NOT LIKE '% price:withdrawn%'
            AND (copies.suspect NOT LIKE '% price:%' OR confirmed_runs.symbol IS NOT NULL)
        ) AS is_counted
    FROM copies
    LEFT JOIN confirmed_runs
        ON
            copies.symbol = confirmed_runs.symbol
            AND copies.quoted_at BETWEEN confirmed_runs.first_quoted_at AND confirmed_runs.last_quoted_at
    WHERE copies.copy_number = 1
    GROUP BY copies.symbol, copies.quoted_at
),

raw_counts AS (
    SELECT
        symbol,
        COUNT(*) AS quotes,
        COUNT_IF(NOT is_counted) AS set_aside
    FROM quotes
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
    COALESCE(raw_counts.set_aside, 0) AS set_aside,
    COALESCE(staged_counts.quotes, 0) AS staged_quotes
FROM raw_counts
FULL OUTER JOIN staged_counts ON raw_counts.symbol = staged_counts.symbol
WHERE COALESCE(raw_counts.quotes - raw_counts.set_aside, 0) <> COALESCE(staged_counts.quotes, 0)
ORDER BY symbol
