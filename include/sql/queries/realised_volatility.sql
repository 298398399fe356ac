-- How much each symbol moved within its sessions: the square root of the sum of squared intraday log returns.
-- Grain: one row per session and symbol with at least two intervals.
-- Source: minute_bars, trading_sessions; daily_summary for which sessions there are.
-- Cost: curated, megabytes a session.
-- Note: returns are between the last prices of consecutive intervals that have quotes, the night not among them. A year
--   is taken as 252 such sessions. Formula: T. G. Andersen and T. Bollerslev, International Economic Review 39 (1998).
-- Empty: no symbol has two intervals of {interval_minutes} minutes with quotes in {found}
-- Plot: grid of=annualised_pct across=session down=symbol
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
        5 AS interval_minutes  -- length of an interval; shorter ones measure the noise of the quotes
),

bars AS (
    SELECT
        minute_bars.session,
        minute_bars.symbol,
        minute_bars.minute_utc,
        minute_bars.close_usd,
        DATE_DIFF('minute', trading_sessions.open_utc, minute_bars.minute_utc) AS minutes_open,
        params.interval_minutes
    FROM minute_bars
    CROSS JOIN params
    INNER JOIN trading_sessions ON minute_bars.session = trading_sessions.session
    WHERE
        minute_bars.session BETWEEN params.first_session AND params.last_session
        AND minute_bars.phase = 'regular'
),

intervals AS (
    SELECT
        session,
        symbol,
        minutes_open - minutes_open % interval_minutes AS interval_start,
        MAX_BY(close_usd, minute_utc) AS close_usd
    FROM bars
    GROUP BY session, symbol, minutes_open - minutes_open % interval_minutes
),

log_returns AS (
    SELECT
        session,
        symbol,
        LN(close_usd / LAG(close_usd) OVER (PARTITION BY session, symbol ORDER BY interval_start)) AS log_return
    FROM intervals
)

SELECT
    session,
    symbol,
    COUNT(log_return) AS returns_used,
    100 * SQRT(SUM(log_return * log_return)) AS realised_pct,
    100 * SQRT(252 * SUM(log_return * log_return)) AS annualised_pct
FROM log_returns
GROUP BY session, symbol
HAVING COUNT(log_return) > 0
ORDER BY session, symbol
