-- No symbol moved so far that a split or a wrong previous close is likelier than the market.
-- Grain: one row per symbol beyond the threshold.
-- Source: daily_summary_staging.
-- Cost: curated, one session: kilobytes.
-- Severity: warn
-- Scope: symbol
WITH params AS (
    SELECT
        DATE '2026-03-12' AS session,  -- the session to check
        50.0 AS max_change_pct  -- largest change taken as it is, in either direction
)

SELECT
    daily_summary_staging.symbol,
    daily_summary_staging.change_pct,
    daily_summary_staging.gap_pct,
    daily_summary_staging.previous_close_usd,
    daily_summary_staging.close_usd
FROM daily_summary_staging
INNER JOIN params ON daily_summary_staging.session = params.session
WHERE
    ABS(daily_summary_staging.change_pct) > params.max_change_pct
    OR ABS(daily_summary_staging.gap_pct) > params.max_change_pct
ORDER BY daily_summary_staging.symbol
