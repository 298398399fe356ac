-- Every staged minute bar is possible: complete, high above low, open and close between, nothing below zero.
-- Grain: one row per impossible bar.
-- Source: minute_bars_staging, trading_sessions.
-- Cost: curated, one session: megabytes.
-- Severity: fail
-- Scope: symbol
-- Note: a previous close that nobody could tell is NULL, rightly.
WITH params AS (
    SELECT DATE '2026-03-12' AS session  -- the session to check
),

staged AS (
    SELECT
        minute_bars_staging.*,
        trading_sessions.open_utc AS session_open_utc
    FROM minute_bars_staging
    INNER JOIN params ON minute_bars_staging.session = params.session
    INNER JOIN trading_sessions ON minute_bars_staging.session = trading_sessions.session
)

SELECT
    symbol,
    minute_utc,
    open_usd,
    high_usd,
    low_usd,
    close_usd,
    previous_close_usd,
    volume_shares
FROM staged
WHERE
    NOT COALESCE(
        symbol <> ''
        AND phase IN ('pre', 'regular', 'post')
        AND low_usd >= 0
        AND high_usd >= low_usd
        AND open_usd BETWEEN low_usd AND high_usd
        AND close_usd BETWEEN low_usd AND high_usd
        AND COALESCE(previous_close_usd > 0, TRUE)
        AND volume_shares >= 0
        AND turnover_usd >= 0
        AND quotes > 0
        AND first_quote_utc >= minute_utc
        AND last_quote_utc < DATE_ADD('minute', 1, minute_utc)
        -- Midnight to midnight in New York, 9.5 hours before the open to 14.5 after it; clocks change on Sundays only.
        AND minute_utc >= DATE_ADD('minute', -570, session_open_utc)
        AND minute_utc < DATE_ADD('minute', 870, session_open_utc), FALSE
    )
ORDER BY symbol, minute_utc
