-- Sessions after which the 5-session average of a symbol's close went over or under its 20-session average.
-- Grain: one row per cross.
-- Source: daily_bars.
-- Cost: curated, kilobytes a session; every month up to last_session.
-- Note: a cross needs 21 sessions: 20 for the averages and one before to have crossed from. A touch is no cross,
--   leaving it on the other side is. The alerts of the stream use the same rule over quotes instead of sessions.
-- Empty: no averages crossed in {found}; the first cross can be in a symbol's 21st session
WITH params AS (
    SELECT
        (
            SELECT MIN(earlier.session) FROM (
                SELECT DISTINCT past.session FROM daily_bars AS past
                WHERE past.session <= (SELECT MAX(newest.session) FROM daily_bars AS newest)
                ORDER BY past.session DESC LIMIT 60
            ) AS earlier
        ) AS first_session,  -- first session to list crosses of; earlier ones still feed the averages
        (SELECT MAX(newest.session) FROM daily_bars AS newest) AS last_session  -- last session to list crosses of
),

averages AS (
    SELECT
        daily_bars.session,
        daily_bars.symbol,
        daily_bars.close_usd,
        params.first_session,
        AVG(daily_bars.close_usd) OVER (
            PARTITION BY daily_bars.symbol ORDER BY daily_bars.session ROWS BETWEEN 4 PRECEDING AND CURRENT ROW
        ) AS average_5_usd,
        AVG(daily_bars.close_usd) OVER (
            PARTITION BY daily_bars.symbol ORDER BY daily_bars.session ROWS BETWEEN 19 PRECEDING AND CURRENT ROW
        ) AS average_20_usd,
        COUNT(*) OVER (
            PARTITION BY daily_bars.symbol ORDER BY daily_bars.session ROWS BETWEEN 19 PRECEDING AND CURRENT ROW
        ) AS sessions_averaged
    FROM daily_bars
    CROSS JOIN params
    WHERE
        daily_bars.session <= params.last_session
        AND daily_bars.close_usd IS NOT NULL
),

-- 1 above, -1 below, NULL where the averages touch, to a millionth of a dollar.
sides AS (
    SELECT
        *,
        NULLIF(SIGN(ROUND(average_5_usd - average_20_usd, 6)), 0) AS side
    FROM averages
    WHERE sessions_averaged = 20
),

changes AS (
    SELECT
        *,
        LAG(side) IGNORE NULLS OVER (PARTITION BY symbol ORDER BY session) AS side_before
    FROM sides
)

SELECT
    session,
    symbol,
    IF(side > 0, 'up', 'down') AS trend,
    close_usd,
    average_5_usd,
    average_20_usd
FROM changes
WHERE
    side * side_before < 0
    AND session >= first_session
ORDER BY session, symbol
