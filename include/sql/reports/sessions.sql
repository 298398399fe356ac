-- What a report says of each symbol: its sessions in a range.
-- Grain: one row per session and symbol.
-- Source: daily_summary.
-- Cost: curated, kilobytes a session.
WITH params AS (
    SELECT
        DATE '2026-03-11' AS first_session,  -- first session of the range; the report asks for one more before its own
        DATE '2026-03-12' AS last_session  -- last session of the range
)

SELECT
    daily_summary.session,
    daily_summary.symbol,
    daily_summary.close_usd,
    daily_summary.previous_close_usd,
    daily_summary.change_pct,
    daily_summary.volume_shares,
    daily_summary.quotes,
    daily_summary.late_quotes,
    daily_summary.repeated_quotes,
    daily_summary.last_quote_utc,
    daily_summary.minutes_with_quotes,
    daily_summary.expected_minutes,
    daily_summary.completeness_pct
FROM daily_summary
CROSS JOIN params
WHERE daily_summary.session BETWEEN params.first_session AND params.last_session
ORDER BY daily_summary.session, daily_summary.symbol
