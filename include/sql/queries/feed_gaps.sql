-- Stretches of regular trading without a quote of a symbol, the opening and the close included.
-- Grain: one row per gap of at least min_gap_minutes.
-- Source: minute_bars, trading_sessions; daily_summary for which sessions there are.
-- Cost: curated, one session: megabytes.
-- Note: a gap counts whole minutes without any quote. A thin symbol has gaps because nobody traded; the feed has one
--   when many symbols share it: symbols_silent says how many were silent at the moment the gap began.
-- Empty: no symbol was silent for {min_gap_minutes} minutes in the session, which is good
-- Plot: spans from=started_at_utc to=ended_at_utc by=symbol
WITH params AS (
    SELECT
        (SELECT MAX(newest.session) FROM daily_summary AS newest) AS session,  -- the session
        3 AS min_gap_minutes  -- shortest gap to list
),

asked_session AS (
    SELECT
        trading_sessions.session,
        trading_sessions.open_utc,
        trading_sessions.close_utc,
        params.min_gap_minutes
    FROM trading_sessions
    INNER JOIN params ON trading_sessions.session = params.session
),

minutes AS (
    SELECT
        minute_bars.symbol,
        minute_bars.minute_utc
    FROM minute_bars
    CROSS JOIN params
    WHERE
        minute_bars.session = params.session
        AND minute_bars.phase = 'regular'
),

-- Each symbol's minutes with a mark one minute before the open and one at the close, so that those gaps are seen too.
marks AS (
    SELECT
        symbol,
        minute_utc
    FROM minutes
    UNION ALL
    SELECT
        symbols.symbol,
        DATE_ADD('minute', -1, asked_session.open_utc) AS minute_utc
    FROM (SELECT DISTINCT minutes.symbol FROM minutes) AS symbols
    CROSS JOIN asked_session
    UNION ALL
    SELECT
        symbols.symbol,
        asked_session.close_utc AS minute_utc
    FROM (SELECT DISTINCT minutes.symbol FROM minutes) AS symbols
    CROSS JOIN asked_session
),

steps AS (
    SELECT
        symbol,
        minute_utc AS ended_at_utc,
        DATE_ADD(
            'minute', 1, LAG(minute_utc) OVER (PARTITION BY symbol ORDER BY minute_utc)
        ) AS started_at_utc
    FROM marks
),

gaps AS (
    SELECT
        steps.symbol,
        steps.started_at_utc,
        steps.ended_at_utc,
        DATE_DIFF('minute', steps.started_at_utc, steps.ended_at_utc) AS gap_minutes
    FROM steps
    CROSS JOIN asked_session
    WHERE DATE_DIFF('minute', steps.started_at_utc, steps.ended_at_utc) >= asked_session.min_gap_minutes
)

SELECT
    gaps.symbol,
    gaps.started_at_utc,
    gaps.ended_at_utc,
    gaps.gap_minutes,
    COUNT(*) AS symbols_silent
FROM gaps
INNER JOIN gaps AS silences
    ON
        gaps.started_at_utc >= silences.started_at_utc
        AND gaps.started_at_utc < silences.ended_at_utc
GROUP BY gaps.symbol, gaps.started_at_utc, gaps.ended_at_utc, gaps.gap_minutes
ORDER BY gaps.started_at_utc, gaps.symbol
