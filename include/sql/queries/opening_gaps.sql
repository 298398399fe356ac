-- Sessions that opened away from the previous close, and whether the gap was filled before the close.
-- Grain: one row per session and symbol with a gap of at least min_gap_pct.
-- Source: daily_summary.
-- Cost: curated, kilobytes a session.
-- Note: a gap up is filled when the session's low comes down to the previous close, a gap down when its high comes up.
-- Empty: no symbol opened {min_gap_pct} % or more away from its previous close in {found}
-- Plot: bars of=gap_pct by=session,symbol
WITH params AS (
    SELECT
        (
            SELECT MIN(earlier.session) FROM (
                SELECT DISTINCT past.session FROM daily_summary AS past
                WHERE past.session <= (SELECT MAX(newest.session) FROM daily_summary AS newest)
                ORDER BY past.session DESC LIMIT 20
            ) AS earlier
        ) AS first_session,  -- first session of the range
        (SELECT MAX(newest.session) FROM daily_summary AS newest) AS last_session,  -- last session of the range
        1.0 AS min_gap_pct  -- smallest gap to list, in either direction
)

SELECT
    daily_summary.session,
    daily_summary.symbol,
    daily_summary.gap_pct,
    daily_summary.previous_close_usd,
    daily_summary.open_usd,
    daily_summary.close_usd,
    daily_summary.change_pct,
    IF(
        daily_summary.gap_pct > 0,
        daily_summary.low_usd <= daily_summary.previous_close_usd,
        daily_summary.high_usd >= daily_summary.previous_close_usd
    ) AS was_filled
FROM daily_summary
CROSS JOIN params
WHERE
    daily_summary.session BETWEEN params.first_session AND params.last_session
    AND ABS(daily_summary.gap_pct) >= params.min_gap_pct
ORDER BY ABS(daily_summary.gap_pct) DESC, daily_summary.session, daily_summary.symbol
