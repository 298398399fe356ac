-- The sessions that daily_bars has, to say why a query gave no rows.
-- Grain: one row per session.
-- Source: daily_bars.
-- Cost: curated, kilobytes a session.
SELECT DISTINCT session
FROM daily_bars
ORDER BY session
