-- How much of each session the feed delivered: minutes with quotes against the minutes the exchange was open.
-- Grain: one row per session and symbol below max_completeness_pct; set it to 100 to see all.
-- Source: daily_summary.
-- Cost: curated, kilobytes a session.
-- Note: half days have 210 minutes, others 390. A minute without a trade has no quote either, so thin symbols are never
--   complete. A symbol without a single quote that day has no row at all.
-- Empty: no symbol is at {max_completeness_pct} % or below in {found}
-- Plot: grid of=completeness_pct across=session down=symbol first=lowest
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
        100.0 AS max_completeness_pct  -- list sessions at most this complete
)

SELECT
    daily_summary.session,
    daily_summary.symbol,
    daily_summary.completeness_pct,
    daily_summary.minutes_with_quotes,
    daily_summary.expected_minutes,
    daily_summary.quotes,
    daily_summary.first_quote_utc,
    daily_summary.last_quote_utc
FROM daily_summary
CROSS JOIN params
WHERE
    daily_summary.session BETWEEN params.first_session AND params.last_session
    AND daily_summary.completeness_pct <= params.max_completeness_pct
ORDER BY daily_summary.completeness_pct, daily_summary.session, daily_summary.symbol
