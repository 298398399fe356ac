-- The staged summary has every symbol of the staged minute bars, with all its quotes, and no other.
-- Grain: one row per symbol where they differ.
-- Source: daily_summary_staging, minute_bars_staging.
-- Cost: curated, one session: megabytes.
-- Severity: fail
-- Scope: symbol
WITH params AS (
    SELECT DATE '2026-03-12' AS session  -- the session to check
),

bars AS (
    SELECT
        minute_bars_staging.symbol,
        SUM(minute_bars_staging.quotes) AS quotes,
        COUNT_IF(minute_bars_staging.phase = 'regular') AS minutes
    FROM minute_bars_staging
    INNER JOIN params ON minute_bars_staging.session = params.session
    GROUP BY minute_bars_staging.symbol
),

summary AS (
    SELECT
        daily_summary_staging.symbol,
        daily_summary_staging.quotes,
        daily_summary_staging.minutes_with_quotes AS minutes
    FROM daily_summary_staging
    INNER JOIN params ON daily_summary_staging.session = params.session
)

SELECT
    COALESCE(bars.symbol, summary.symbol) AS symbol,
    bars.quotes AS bar_quotes,
    summary.quotes AS summary_quotes,
    bars.minutes AS bar_minutes,
    summary.minutes AS summary_minutes
FROM bars
FULL OUTER JOIN summary ON bars.symbol = summary.symbol
WHERE
    bars.quotes IS DISTINCT FROM summary.quotes
    OR bars.minutes IS DISTINCT FROM summary.minutes
ORDER BY symbol
