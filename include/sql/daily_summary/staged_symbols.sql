-- What is staged of each symbol of a session, to say what a rollup publishes and what it does not.
-- Grain: one row per staged symbol.
-- Source: daily_summary_staging, minute_bars_staging.
-- Cost: curated, one session: megabytes.
WITH params AS (
    SELECT DATE '2026-03-12' AS session  -- the session
),

bars AS (
    SELECT
        minute_bars_staging.symbol,
        COUNT(*) AS bars
    FROM minute_bars_staging
    INNER JOIN params ON minute_bars_staging.session = params.session
    GROUP BY minute_bars_staging.symbol
),

summaries AS (
    SELECT
        daily_summary_staging.symbol,
        daily_summary_staging.anomalies,
        daily_summary_staging.completeness_pct
    FROM daily_summary_staging
    INNER JOIN params ON daily_summary_staging.session = params.session
)

SELECT
    COALESCE(summaries.symbol, bars.symbol) AS symbol,
    COALESCE(bars.bars, 0) AS bars,
    COALESCE(summaries.anomalies, 0) AS anomalies,
    COALESCE(summaries.completeness_pct, 0) AS completeness_pct
FROM summaries
FULL OUTER JOIN bars ON summaries.symbol = bars.symbol
ORDER BY symbol
