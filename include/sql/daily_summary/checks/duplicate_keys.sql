-- No two staged rows of the session share their key.
-- Grain: one row per key that occurs more than once.
-- Source: daily_summary_staging.
-- Cost: curated, one session: kilobytes.
-- Severity: fail
-- Scope: symbol
-- Generated: by `make sql` from daily_summary/table.yaml; change it there.
WITH params AS (
    SELECT DATE '2026-03-12' AS session  -- the session to check
)

SELECT
    daily_summary_staging.symbol,
    COUNT(*) AS copies
FROM daily_summary_staging
INNER JOIN params ON daily_summary_staging.session = params.session
GROUP BY daily_summary_staging.symbol
HAVING COUNT(*) > 1
ORDER BY daily_summary_staging.symbol
