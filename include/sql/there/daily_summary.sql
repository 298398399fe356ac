-- The sessions that daily_summary has, to say why a query gave no rows.
-- Grain: one row per session.
-- Source: daily_summary.
-- Cost: curated, kilobytes a session.
SELECT DISTINCT session
FROM daily_summary
ORDER BY session
