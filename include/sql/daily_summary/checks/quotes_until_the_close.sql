-- No large part of the feed fell silent: symbols that usually have a quote in most minutes had one near the close.
-- Grain: one row per symbol that fell silent, if they are two at the least and a quarter of those asked.
-- Source: minute_bars_staging, trading_sessions, daily_summary.
-- Cost: curated, one session of bars and a month or two of summaries: megabytes.
-- Severity: warn
-- Scope: symbol
-- Note: one symbol that is silent until the close is a halt, and normal.
WITH params AS (
    SELECT
        DATE '2026-03-12' AS session,  -- the session to check
        20 AS usual_sessions,  -- how many sessions before make up what is usual
        60 AS max_silence_minutes,  -- how long before the close the last quote may be
        25.0 AS min_silent_pct  -- silent symbols that are not taken as halts, in per cent of those asked
),

earlier AS (
    SELECT
        daily_summary.symbol,
        daily_summary.completeness_pct,
        params.usual_sessions,
        ROW_NUMBER() OVER (PARTITION BY daily_summary.symbol ORDER BY daily_summary.session DESC) AS recency
    FROM daily_summary
    CROSS JOIN params
    WHERE
        daily_summary.session < params.session
        AND daily_summary.session >= DATE_ADD('day', -2 * params.usual_sessions, params.session)
),

steady AS (
    SELECT symbol
    FROM earlier
    WHERE recency <= usual_sessions
    GROUP BY symbol
    HAVING AVG(completeness_pct) >= 50
),

ends AS (
    SELECT
        minute_bars_staging.symbol,
        MAX(minute_bars_staging.last_quote_utc) AS last_regular_quote_utc,
        MAX(trading_sessions.close_utc) AS close_utc
    FROM minute_bars_staging
    INNER JOIN params ON minute_bars_staging.session = params.session
    INNER JOIN trading_sessions ON minute_bars_staging.session = trading_sessions.session
    INNER JOIN steady ON minute_bars_staging.symbol = steady.symbol
    WHERE minute_bars_staging.phase = 'regular'
    GROUP BY minute_bars_staging.symbol
),

judged AS (
    SELECT
        ends.symbol,
        ends.last_regular_quote_utc,
        ends.close_utc,
        params.max_silence_minutes,
        params.min_silent_pct,
        COUNT(*) OVER () AS symbols_asked,
        COUNT_IF(
            ends.last_regular_quote_utc < DATE_ADD('minute', -params.max_silence_minutes, ends.close_utc)
        ) OVER () AS silent_symbols
    FROM ends
    CROSS JOIN params
)

SELECT
    symbol,
    last_regular_quote_utc,
    close_utc,
    silent_symbols,
    symbols_asked
FROM judged
WHERE
    last_regular_quote_utc < DATE_ADD('minute', -max_silence_minutes, close_utc)
    AND silent_symbols >= 2
    AND 100E0 * silent_symbols / symbols_asked >= min_silent_pct
ORDER BY last_regular_quote_utc, symbol
