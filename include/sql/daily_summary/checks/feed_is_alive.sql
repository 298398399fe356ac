-- The feed as a whole was alive: in most minutes at least half of the symbols that usually have a quote had one.
-- Grain: one row if it was not.
-- Source: daily_summary_staging, minute_bars_staging, trading_sessions, daily_summary.
-- Cost: curated, one session of bars and a month or two of summaries: megabytes.
-- Severity: fail
-- Scope: session
-- Note: asked of the symbols of this session that usually have a quote in most minutes. Thin and new symbols say
--   nothing of the feed; where there are hardly any others, as in the first session of all or with two symbols that may
--   be halted, it is not judged. A silence of a few minutes, as of a feed that asks every three, counts as alive.
WITH params AS (
    SELECT
        DATE '2026-03-12' AS session,  -- the session to check
        20 AS usual_sessions,  -- how many sessions before make up what is usual
        3 AS min_steady_symbols,  -- symbols that usually have a quote in most minutes, for the feed to be judged
        5 AS short_silence_minutes,  -- a silence up to this long is none of the feed's
        80.0 AS min_completeness_pct  -- minutes alive that are asked for, in per cent of the minutes open
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
    SELECT
        earlier.symbol,
        AVG(earlier.completeness_pct) AS usual_pct
    FROM earlier
    INNER JOIN daily_summary_staging ON earlier.symbol = daily_summary_staging.symbol
    INNER JOIN params ON daily_summary_staging.session = params.session
    WHERE earlier.recency <= earlier.usual_sessions
    GROUP BY earlier.symbol
    HAVING AVG(earlier.completeness_pct) >= 50
),

usual AS (
    SELECT
        COUNT(*) AS steady_symbols,
        SUM(usual_pct) / 100 AS usual_symbols
    FROM steady
),

minutes AS (
    SELECT
        minute_bars_staging.minute_utc,
        COUNT(*) AS symbols
    FROM minute_bars_staging
    INNER JOIN params ON minute_bars_staging.session = params.session
    INNER JOIN steady ON minute_bars_staging.symbol = steady.symbol
    WHERE minute_bars_staging.phase = 'regular'
    GROUP BY minute_bars_staging.minute_utc
),

silences AS (
    SELECT
        minutes.minute_utc,
        DATE_DIFF('minute', LAG(minutes.minute_utc) OVER (ORDER BY minutes.minute_utc), minutes.minute_utc)
        - 1 AS minutes_before
    FROM minutes
    CROSS JOIN usual
    WHERE 2 * minutes.symbols >= usual.usual_symbols
),

alive AS (
    SELECT
        COUNT(*)
        + COALESCE(
            SUM(IF(silences.minutes_before <= params.short_silence_minutes, silences.minutes_before, 0)), 0
        ) AS minutes_alive,
        MIN(silences.minute_utc) AS first_alive_utc,
        MAX(silences.minute_utc) AS last_alive_utc
    FROM silences
    CROSS JOIN params
)

SELECT
    params.session,
    usual.steady_symbols,
    alive.minutes_alive,
    trading_sessions.expected_minutes,
    ROUND(100E0 * alive.minutes_alive / trading_sessions.expected_minutes, 2) AS alive_pct,
    alive.first_alive_utc,
    alive.last_alive_utc
FROM params
INNER JOIN trading_sessions ON params.session = trading_sessions.session
CROSS JOIN usual
CROSS JOIN alive
WHERE
    usual.steady_symbols >= params.min_steady_symbols
    AND 100E0 * alive.minutes_alive / trading_sessions.expected_minutes < params.min_completeness_pct
