-- Where the feed was silent in regular trading: per symbol, and (symbol '*') where not one symbol had a quote.
-- Grain: one row per session and symbol with a gap of min_gap_minutes or more; its gaps counted, its longest shown.
-- Source: minute_bars, trading_sessions.
-- Cost: curated, megabytes a session.
-- Note: a gap counts whole minutes without any quote, the opening and the close included. A thin symbol has gaps
--   because nobody traded; those of '*' are the feed's own. Each gap by itself: queries/feed_gaps.sql.
WITH params AS (
    SELECT
        DATE '2026-03-12' AS first_session,  -- first session of the range
        DATE '2026-03-12' AS last_session,  -- last session of the range
        3 AS min_gap_minutes  -- shortest gap to count
),

asked_sessions AS (
    SELECT
        trading_sessions.session,
        trading_sessions.open_utc,
        trading_sessions.close_utc,
        params.min_gap_minutes
    FROM trading_sessions
    CROSS JOIN params
    WHERE trading_sessions.session BETWEEN params.first_session AND params.last_session
),

symbol_minutes AS (
    SELECT
        minute_bars.session,
        minute_bars.symbol,
        minute_bars.minute_utc
    FROM minute_bars
    CROSS JOIN params
    WHERE
        minute_bars.session BETWEEN params.first_session AND params.last_session
        AND minute_bars.phase = 'regular'
),

minutes AS (
    SELECT
        session,
        symbol,
        minute_utc
    FROM symbol_minutes
    UNION ALL
    SELECT DISTINCT
        session,
        '*' AS symbol,
        minute_utc
    FROM symbol_minutes
),

symbols AS (
    SELECT DISTINCT
        session,
        symbol
    FROM minutes
),

-- A mark one minute before the open and one at the close, so that gaps there are seen too.
marks AS (
    SELECT
        session,
        symbol,
        minute_utc
    FROM minutes
    UNION ALL
    SELECT
        symbols.session,
        symbols.symbol,
        DATE_ADD('minute', -1, asked_sessions.open_utc) AS minute_utc
    FROM symbols
    INNER JOIN asked_sessions ON symbols.session = asked_sessions.session
    UNION ALL
    SELECT
        symbols.session,
        symbols.symbol,
        asked_sessions.close_utc AS minute_utc
    FROM symbols
    INNER JOIN asked_sessions ON symbols.session = asked_sessions.session
),

steps AS (
    SELECT
        session,
        symbol,
        minute_utc AS ended_at_utc,
        DATE_ADD(
            'minute', 1, LAG(minute_utc) OVER (PARTITION BY session, symbol ORDER BY minute_utc)
        ) AS started_at_utc
    FROM marks
),

gaps AS (
    SELECT
        steps.session,
        steps.symbol,
        steps.started_at_utc,
        steps.ended_at_utc,
        DATE_DIFF('minute', steps.started_at_utc, steps.ended_at_utc) AS gap_minutes
    FROM steps
    INNER JOIN asked_sessions ON steps.session = asked_sessions.session
    WHERE DATE_DIFF('minute', steps.started_at_utc, steps.ended_at_utc) >= asked_sessions.min_gap_minutes
),

ranked AS (
    SELECT
        *,
        ROW_NUMBER() OVER (PARTITION BY session, symbol ORDER BY gap_minutes DESC, started_at_utc) AS length_rank
    FROM gaps
)

SELECT
    session,
    symbol,
    COUNT(*) AS gaps,
    SUM(gap_minutes) AS silent_minutes,
    MAX(gap_minutes) AS longest_gap_minutes,
    MIN_BY(started_at_utc, length_rank) AS longest_started_at_utc,
    MIN_BY(ended_at_utc, length_rank) AS longest_ended_at_utc
FROM ranked
GROUP BY session, symbol
ORDER BY silent_minutes DESC, session, symbol
