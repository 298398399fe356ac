-- The symbols of a range of sessions, to say why a query gave no rows.
-- Grain: one row per symbol.
-- Source: daily_summary.
-- Cost: curated, kilobytes a session.
WITH params AS (
    SELECT
        DATE '2026-03-12' AS first_session,  -- first session of the range
        DATE '2026-03-31' AS last_session  -- last session of the range
)

SELECT DISTINCT daily_summary.symbol
FROM daily_summary
CROSS JOIN params
WHERE daily_summary.session BETWEEN params.first_session AND params.last_session
ORDER BY daily_summary.symbol
