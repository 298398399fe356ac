-- No symbol's quotes are in shreds: apart from its longest silence they cover about as many minutes as is usual for it.
-- Grain: one row per symbol that is far below its usual.
-- Source: daily_summary_staging, minute_bars_staging, trading_sessions, daily_summary.
-- Cost: curated, one session of bars and a month or two of summaries: megabytes.
-- Severity: fail
-- Scope: symbol
-- Note: usual is the mean of the symbol's last sessions. One long silence is a halt, and normal; so is a thin symbol,
--   whose usual is low, and a new one, of which nothing is usual yet. The audit withholds a symbol for one session
--   only, and none if this check names all: what goes on is the new usual.
WITH params AS (
    SELECT
        DATE '2026-03-12' AS session,  -- the session to check
        20 AS usual_sessions,  -- how many sessions before make up what is usual
        5 AS min_known_sessions,  -- how many of them there must be for a symbol to be judged
        50.0 AS max_shortfall_pct  -- how far below its usual a symbol may be, in points of per cent of the minutes
),

earlier AS (
    SELECT
        daily_summary.symbol,
        daily_summary.completeness_pct,
        params.usual_sessions,
        params.min_known_sessions,
        ROW_NUMBER() OVER (PARTITION BY daily_summary.symbol ORDER BY daily_summary.session DESC) AS recency
    FROM daily_summary
    CROSS JOIN params
    WHERE
        daily_summary.session < params.session
        AND daily_summary.session >= DATE_ADD('day', -2 * params.usual_sessions, params.session)
),

usual AS (
    SELECT
        symbol,
        AVG(completeness_pct) AS usual_pct
    FROM earlier
    WHERE recency <= usual_sessions
    GROUP BY symbol
    HAVING COUNT(*) >= MAX(min_known_sessions)
),

bars AS (
    SELECT
        minute_bars_staging.symbol,
        minute_bars_staging.minute_utc,
        trading_sessions.open_utc,
        trading_sessions.close_utc
    FROM minute_bars_staging
    INNER JOIN params ON minute_bars_staging.session = params.session
    INNER JOIN trading_sessions ON minute_bars_staging.session = trading_sessions.session
    WHERE minute_bars_staging.phase = 'regular'
),

silences AS (
    SELECT
        symbol,
        DATE_DIFF(
            'minute',
            COALESCE(
                DATE_ADD('minute', 1, LAG(minute_utc) OVER (PARTITION BY symbol ORDER BY minute_utc)), open_utc
            ),
            minute_utc
        ) AS minutes_before,
        DATE_DIFF('minute', DATE_ADD('minute', 1, minute_utc), close_utc) AS minutes_to_close,
        LEAD(minute_utc) OVER (PARTITION BY symbol ORDER BY minute_utc) IS NULL AS is_last
    FROM bars
),

longest AS (
    SELECT
        symbol,
        GREATEST(MAX(minutes_before), MAX(IF(is_last, minutes_to_close, 0))) AS longest_silence_minutes
    FROM silences
    GROUP BY symbol
),

covered AS (
    SELECT
        daily_summary_staging.symbol,
        daily_summary_staging.minutes_with_quotes,
        daily_summary_staging.completeness_pct,
        usual.usual_pct,
        longest.longest_silence_minutes,
        params.max_shortfall_pct,
        100E0 * daily_summary_staging.minutes_with_quotes
        / (daily_summary_staging.expected_minutes - longest.longest_silence_minutes) AS apart_from_it_pct
    FROM daily_summary_staging
    INNER JOIN params ON daily_summary_staging.session = params.session
    INNER JOIN usual ON daily_summary_staging.symbol = usual.symbol
    INNER JOIN longest ON daily_summary_staging.symbol = longest.symbol
)

SELECT
    symbol,
    minutes_with_quotes,
    completeness_pct,
    ROUND(usual_pct, 2) AS usual_pct,
    longest_silence_minutes,
    ROUND(apart_from_it_pct, 2) AS apart_from_it_pct
FROM covered
WHERE apart_from_it_pct < usual_pct - max_shortfall_pct
ORDER BY completeness_pct, symbol
