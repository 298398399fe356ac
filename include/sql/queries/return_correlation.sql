-- How alike two symbols move: the correlation of their daily log returns over a range of sessions.
-- Grain: one row per pair of symbols, each pair once, that share at least min_sessions sessions.
-- Source: daily_summary.
-- Cost: curated, kilobytes a session.
-- Note: a return is close against previous close, both of the same row, so a split between sessions does no harm.
-- Empty: no two symbols share {min_sessions} sessions: there is {found} in the range; ask for fewer with min_sessions
-- Plot: matrix of=correlation between=first_symbol,second_symbol
WITH params AS (
    SELECT
        (
            SELECT MIN(earlier.session) FROM (
                SELECT DISTINCT past.session FROM daily_summary AS past
                WHERE past.session <= (SELECT MAX(newest.session) FROM daily_summary AS newest)
                ORDER BY past.session DESC LIMIT 60
            ) AS earlier
        ) AS first_session,  -- first session of the range
        (SELECT MAX(newest.session) FROM daily_summary AS newest) AS last_session,  -- last session of the range
        10 AS min_sessions  -- pairs that share fewer say nothing and are left out
),

returns AS (
    SELECT
        daily_summary.session,
        daily_summary.symbol,
        LN(daily_summary.close_usd / daily_summary.previous_close_usd) AS log_return,
        params.min_sessions
    FROM daily_summary
    CROSS JOIN params
    WHERE
        daily_summary.session BETWEEN params.first_session AND params.last_session
        AND daily_summary.close_usd > 0
)

SELECT
    one.symbol AS first_symbol,
    other.symbol AS second_symbol,
    CORR(one.log_return, other.log_return) AS correlation,
    COUNT(*) AS sessions
FROM returns AS one
INNER JOIN returns AS other
    ON
        one.session = other.session
        AND one.symbol < other.symbol
GROUP BY one.symbol, other.symbol, one.min_sessions
HAVING COUNT(*) >= one.min_sessions
ORDER BY correlation DESC, first_symbol, second_symbol
