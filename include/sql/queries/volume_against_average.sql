-- Each symbol's volume in one session against its average over the sessions before.
-- Grain: one row per symbol.
-- Source: daily_summary.
-- Cost: curated, kilobytes a session; every month up to the session.
-- Note: the average is over the last `sessions` sessions that the table has of the symbol, the asked one not among
--   them; sessions_averaged says how many there were.
-- Empty: no symbol has a volume in that session
-- Plot: bars of=times_average by=symbol
WITH params AS (
    SELECT
        (SELECT MAX(newest.session) FROM daily_summary AS newest) AS session,  -- the session
        20 AS sessions  -- how many sessions before it make the average
),

history AS (
    SELECT
        daily_summary.symbol,
        daily_summary.session,
        daily_summary.volume_shares,
        params.session AS asked_session,
        params.sessions AS asked_sessions,
        ROW_NUMBER() OVER (PARTITION BY daily_summary.symbol ORDER BY daily_summary.session DESC) AS sessions_back
    FROM daily_summary
    CROSS JOIN params
    WHERE daily_summary.session < params.session
),

averages AS (
    SELECT
        symbol,
        AVG(volume_shares) AS average_shares,
        COUNT(*) AS sessions_averaged
    FROM history
    WHERE sessions_back <= asked_sessions
    GROUP BY symbol
)

SELECT
    daily_summary.symbol,
    daily_summary.volume_shares,
    averages.average_shares,
    daily_summary.volume_shares / NULLIF(averages.average_shares, 0) AS times_average,
    COALESCE(averages.sessions_averaged, 0) AS sessions_averaged,
    daily_summary.completeness_pct
FROM daily_summary
CROSS JOIN params
LEFT JOIN averages ON daily_summary.symbol = averages.symbol
WHERE daily_summary.session = params.session
ORDER BY times_average DESC NULLS LAST, daily_summary.symbol
