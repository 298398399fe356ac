-- What is usual for each symbol: the baselines that alert rules compare with, learnt up to and including a session.
-- Grain: one row per symbol, kind and part of the session; only what at least 5 sessions have, highs and lows only with
--   all their sessions.
-- Source: minute_bars, daily_summary, trading_sessions.
-- Cost: curated, 20 sessions of minute bars; kilobytes a session of the year before.
-- Note: minute and hour are mean absolute movements as a share, by hour of the session; volume is mean shares by half
--   hour; day is the mean absolute change as a share; the rest are prices in USD. A previous close of under 55 % of the
--   close before it, or over its inverse, is a split: prices and volumes of before are put into today's shares.
WITH params AS (
    SELECT
        DATE '2026-03-12' AS session,  -- the newest session to learn from
        20 AS usual_sessions,  -- how many make up what is usual
        5 AS least_sessions,  -- and how few will do
        252 AS long_sessions  -- a year of sessions
),

recent_sessions AS (
    SELECT
        trading_sessions.session,
        trading_sessions.open_utc,
        ROW_NUMBER() OVER (ORDER BY trading_sessions.session DESC) AS sessions_back
    FROM trading_sessions
    CROSS JOIN params
    WHERE trading_sessions.session <= params.session
),

summaries AS (
    SELECT
        daily_summary.symbol,
        daily_summary.session,
        daily_summary.high_usd,
        daily_summary.low_usd,
        ABS(daily_summary.change_pct) / 100 AS day_move,
        LEAD(daily_summary.previous_close_usd) OVER by_symbol / daily_summary.close_usd AS factor,
        ROW_NUMBER() OVER (PARTITION BY daily_summary.symbol ORDER BY daily_summary.session DESC) AS sessions_back
    FROM daily_summary
    CROSS JOIN params
    WHERE daily_summary.session <= params.session
    WINDOW by_symbol AS (PARTITION BY daily_summary.symbol ORDER BY daily_summary.session)
),

adjusted AS (
    SELECT
        symbol,
        session,
        day_move,
        sessions_back,
        high_usd * rescaling AS high_usd,
        low_usd * rescaling AS low_usd,
        rescaling
    FROM (
        SELECT
            summaries.*,
            EXP(
                SUM(IF(factor < 0.55 OR factor > 1 / 0.55, LN(factor), 0)) OVER (
                    PARTITION BY symbol ORDER BY session DESC
                )
            ) AS rescaling
        FROM summaries
    ) AS scaled
),

minutes AS (
    SELECT
        minute_bars.symbol,
        minute_bars.session,
        minute_bars.close_usd,
        minute_bars.volume_shares / COALESCE(adjusted.rescaling, 1) AS volume_shares,
        DATE_DIFF('minute', recent_sessions.open_utc, minute_bars.minute_utc) AS minute_of_session
    FROM minute_bars
    CROSS JOIN params
    INNER JOIN recent_sessions
        ON
            minute_bars.session = recent_sessions.session
            AND params.usual_sessions >= recent_sessions.sessions_back
    LEFT JOIN adjusted
        ON
            minute_bars.symbol = adjusted.symbol
            AND minute_bars.session = adjusted.session
    WHERE minute_bars.phase = 'regular'
),

moves AS (
    SELECT
        symbol,
        session,
        minute_of_session,
        close_usd,
        volume_shares,
        CAST(FLOOR(minute_of_session / 60e0) AS integer) AS hour_of_session,
        CAST(FLOOR(minute_of_session / 30e0) AS integer) AS half_hour,
        LAG(close_usd) OVER by_session AS close_before,
        minute_of_session - LAG(minute_of_session) OVER by_session AS minutes_since
    FROM minutes
    WINDOW by_session AS (PARTITION BY symbol, session ORDER BY minute_of_session)
),

hours AS (
    SELECT
        symbol,
        session,
        hour_of_session,
        AVG(ABS(close_usd / close_before - 1) / SQRT(minutes_since)) AS minute_move,
        ABS(
            MAX_BY(close_usd, minute_of_session)
            / COALESCE(MIN_BY(close_before, minute_of_session), MIN_BY(close_usd, minute_of_session)) - 1
        ) AS hour_move
    FROM moves
    GROUP BY symbol, session, hour_of_session
),

half_hours AS (
    SELECT
        symbol,
        session,
        half_hour,
        SUM(volume_shares) AS volume_shares
    FROM moves
    GROUP BY symbol, session, half_hour
    HAVING SUM(volume_shares) > 0
),

learnt AS (
    SELECT
        symbol,
        'minute' AS kind,
        hour_of_session AS part,
        AVG(minute_move) AS usual,
        COUNT(minute_move) AS sessions
    FROM hours
    GROUP BY symbol, hour_of_session
    UNION ALL
    SELECT
        symbol,
        'hour' AS kind,
        hour_of_session AS part,
        AVG(hour_move) AS usual,
        COUNT(hour_move) AS sessions
    FROM hours
    GROUP BY symbol, hour_of_session
    UNION ALL
    SELECT
        symbol,
        'volume' AS kind,
        half_hour AS part,
        AVG(volume_shares) AS usual,
        COUNT(*) AS sessions
    FROM half_hours
    GROUP BY symbol, half_hour
    UNION ALL
    SELECT
        adjusted.symbol,
        'day' AS kind,
        0 AS part,
        AVG(adjusted.day_move) AS usual,
        COUNT(adjusted.day_move) AS sessions
    FROM adjusted
    CROSS JOIN params
    WHERE adjusted.sessions_back <= params.usual_sessions
    GROUP BY adjusted.symbol
)

SELECT
    learnt.symbol,
    learnt.kind,
    learnt.part,
    learnt.usual,
    learnt.sessions
FROM learnt
CROSS JOIN params
WHERE learnt.sessions >= params.least_sessions
UNION ALL
SELECT
    adjusted.symbol,
    extremes.kind,
    IF(extremes.is_long, params.long_sessions, params.usual_sessions) AS part,
    IF(extremes.kind = 'high', MAX(adjusted.high_usd), MIN(adjusted.low_usd)) AS usual,
    COUNT(*) AS sessions
FROM adjusted
CROSS JOIN params
CROSS JOIN (
    VALUES ('high', FALSE), ('low', FALSE), ('high', TRUE), ('low', TRUE)
) AS extremes (kind, is_long)
WHERE adjusted.sessions_back <= IF(extremes.is_long, params.long_sessions, params.usual_sessions)
GROUP BY adjusted.symbol, extremes.kind, extremes.is_long, params.long_sessions, params.usual_sessions
HAVING COUNT(*) = IF(extremes.is_long, params.long_sessions, params.usual_sessions)
ORDER BY symbol, kind, part
