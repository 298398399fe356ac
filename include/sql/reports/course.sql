-- The course of the market and of the feed: mean change and number of quotes in each interval of regular trading.
-- Grain: one row per session and interval with a quote.
-- Source: minute_bars, trading_sessions.
-- Cost: curated, megabytes a session.
-- Note: change is the mean over the symbols quoted in the interval, each at its last price there against its previous
--   close.
WITH params AS (
    SELECT
        DATE '2026-03-12' AS first_session,  -- first session of the range
        DATE '2026-03-12' AS last_session,  -- last session of the range
        5 AS interval_minutes  -- length of an interval
),

bars AS (
    SELECT
        minute_bars.session,
        minute_bars.symbol,
        minute_bars.minute_utc,
        minute_bars.close_usd,
        minute_bars.previous_close_usd,
        minute_bars.quotes,
        DATE_ADD(
            'minute',
            -(DATE_DIFF('minute', trading_sessions.open_utc, minute_bars.minute_utc) % params.interval_minutes),
            minute_bars.minute_utc
        ) AS interval_utc
    FROM minute_bars
    CROSS JOIN params
    INNER JOIN trading_sessions ON minute_bars.session = trading_sessions.session
    WHERE
        minute_bars.session BETWEEN params.first_session AND params.last_session
        AND minute_bars.phase = 'regular'
),

by_symbol AS (
    SELECT
        session,
        symbol,
        interval_utc,
        MAX_BY(100 * (close_usd - previous_close_usd) / previous_close_usd, minute_utc) AS change_pct,
        SUM(quotes) AS quotes
    FROM bars
    GROUP BY session, symbol, interval_utc
)

SELECT
    session,
    interval_utc,
    ROUND(AVG(change_pct), 4) AS change_pct,
    SUM(quotes) AS quotes,
    COUNT(*) AS symbols
FROM by_symbol
GROUP BY session, interval_utc
ORDER BY session, interval_utc
