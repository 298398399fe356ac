-- The feed delivered enough of the session for its figures to be trusted.
-- Grain: one row per symbol below the threshold.
-- Source: daily_summary_staging.
-- Cost: curated, one session: kilobytes.
-- Severity: fail
-- Scope: symbol
-- Note: thin symbols have minutes without a trade, and so without a quote; lower the threshold for them.
WITH

params AS (
    SELECT
        DATE '2026-03-12' AS session,  -- the session to check
        90.0 AS min_completeness_pct  -- minutes with quotes that are asked for, in per cent of the minutes open
)

SELECT
    daily_summary_staging.symbol,
    daily_summary_staging.completeness_pct,
    daily_summary_staging.minutes_with_quotes,
    daily_summary_staging.expected_minutes,
    daily_summary_staging.first_quote_utc,
    daily_summary_staging.last_quote_utc
FROM daily_summary_staging
INNER JOIN params ON daily_summary_staging.session = params.session
WHERE daily_summary_staging.completeness_pct < params.min_completeness_pct
ORDER BY daily_summary_staging.completeness_pct, daily_summary_staging.symbol
