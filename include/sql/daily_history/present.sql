-- Which sessions of which symbols daily_history has: a backfill fetches only the others.
-- Grain: one row per session and symbol.
-- Source: daily_history.
-- Cost: curated, kilobytes a year.
WITH params AS (
    SELECT
        DATE '2026-03-12' AS first_session,  -- first session of the range
        DATE '2026-03-31' AS last_session  -- last session of the range
)

SELECT
    daily_history.session,
    daily_history.symbol
FROM daily_history
CROSS JOIN params
WHERE daily_history.session BETWEEN params.first_session AND params.last_session
ORDER BY daily_history.symbol, daily_history.session
