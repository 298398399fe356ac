-- The price moves of a range of sessions, each beside what is usual for that symbol and what the others did that day.
-- Grain: one row per event.
-- Source: anomalies, daily_summary.
-- Cost: curated, kilobytes a session; every month up to last_session.
-- Note: usual is the mean of |change %| and of volume over the last `sessions` sessions that daily_summary has of the
--   symbol before the event's; sessions_known says how many, and NULL stands for none.
-- Empty: no price moved by more than the rule's threshold (5 % unless set otherwise) in {found}
-- Plot: bars of=peak_change_pct by=session,symbol,direction
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
        20 AS sessions  -- how many earlier sessions say what is usual
),

events AS (
    SELECT
        anomalies.*,
        params.sessions AS sessions_asked
    FROM anomalies
    CROSS JOIN params
    WHERE anomalies.session BETWEEN params.first_session AND params.last_session
),

event_days AS (
    SELECT DISTINCT
        session,
        symbol,
        sessions_asked
    FROM events
),

history AS (
    SELECT
        event_days.session,
        event_days.symbol,
        event_days.sessions_asked,
        earlier.change_pct,
        earlier.volume_shares,
        ROW_NUMBER() OVER (
            PARTITION BY event_days.session, event_days.symbol ORDER BY earlier.session DESC
        ) AS sessions_back
    FROM event_days
    INNER JOIN daily_summary AS earlier
        ON
            event_days.symbol = earlier.symbol
            AND event_days.session > earlier.session
),

usual AS (
    SELECT
        session,
        symbol,
        AVG(ABS(change_pct)) AS usual_move_pct,
        AVG(volume_shares) AS usual_volume_shares,
        COUNT(*) AS sessions_known
    FROM history
    WHERE sessions_back <= sessions_asked
    GROUP BY session, symbol
),

market AS (
    SELECT
        summary.session,
        AVG(summary.change_pct) AS market_change_pct
    FROM daily_summary AS summary
    CROSS JOIN params
    WHERE summary.session BETWEEN params.first_session AND params.last_session
    GROUP BY summary.session
)

SELECT
    events.session,
    events.symbol,
    events.direction,
    events.phase,
    events.started_at_utc,
    events.duration_seconds,
    events.peak_change_pct,
    usual.usual_move_pct,
    ABS(events.peak_change_pct) / NULLIF(usual.usual_move_pct, 0) AS times_usual_move,
    daily_summary.volume_shares / NULLIF(usual.usual_volume_shares, 0) AS times_usual_volume,
    COALESCE(usual.sessions_known, 0) AS sessions_known,
    daily_summary.change_pct AS session_change_pct,
    market.market_change_pct
FROM events
LEFT JOIN daily_summary
    ON
        events.session = daily_summary.session
        AND events.symbol = daily_summary.symbol
LEFT JOIN usual
    ON
        events.session = usual.session
        AND events.symbol = usual.symbol
LEFT JOIN market ON events.session = market.session
ORDER BY ABS(events.peak_change_pct) DESC, events.session, events.symbol, events.started_at_utc
