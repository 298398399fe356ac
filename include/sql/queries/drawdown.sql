-- How far each symbol fell from its highest close of a range of sessions, at worst and at the end.
-- Grain: one row per symbol.
-- Source: daily_summary.
-- Cost: curated, kilobytes a session.
-- Note: closes only; what happened within a session is not seen. 0 means the close was the highest so far.
-- Empty: no symbol has a close in {found}
-- Plot: bars of=max_drawdown_pct by=symbol
WITH params AS (
    SELECT
        (
            SELECT MIN(earlier.session) FROM (
                SELECT DISTINCT past.session FROM daily_summary AS past
                WHERE past.session <= (SELECT MAX(newest.session) FROM daily_summary AS newest)
                ORDER BY past.session DESC LIMIT 60
            ) AS earlier
        ) AS first_session,  -- first session of the range
        (SELECT MAX(newest.session) FROM daily_summary AS newest) AS last_session  -- last session of the range
),

closes AS (
    SELECT
        daily_summary.symbol,
        daily_summary.session,
        daily_summary.close_usd,
        MAX(daily_summary.close_usd) OVER (
            PARTITION BY daily_summary.symbol ORDER BY daily_summary.session
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS highest_close_usd
    FROM daily_summary
    CROSS JOIN params
    WHERE
        daily_summary.session BETWEEN params.first_session AND params.last_session
        AND daily_summary.close_usd IS NOT NULL
),

drawdowns AS (
    SELECT
        symbol,
        session,
        close_usd,
        highest_close_usd,
        (close_usd / highest_close_usd - 1) * 100 AS drawdown_pct,
        ROW_NUMBER() OVER (PARTITION BY symbol ORDER BY close_usd / highest_close_usd, session) AS depth_rank
    FROM closes
)

SELECT
    symbol,
    MIN(drawdown_pct) AS max_drawdown_pct,
    MIN_BY(highest_close_usd, depth_rank) AS peak_close_usd,
    MIN_BY(close_usd, depth_rank) AS trough_close_usd,
    MIN_BY(session, depth_rank) AS trough_session,
    MAX_BY(drawdown_pct, session) AS last_drawdown_pct,
    COUNT(*) AS sessions
FROM drawdowns
GROUP BY symbol
ORDER BY max_drawdown_pct, symbol
