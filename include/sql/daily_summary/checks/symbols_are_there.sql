-- Every symbol of the session before has a quote.
-- Grain: one row per symbol that has none.
-- Source: daily_summary_staging, daily_summary.
-- Cost: curated, kilobytes.
-- Severity: warn
-- Scope: symbol
-- Note: the session before is the newest published one of the ten days before this one.
WITH params AS (
    SELECT DATE '2026-03-12' AS session  -- the session to check
),

session_before AS (
    SELECT MAX(daily_summary.session) AS session
    FROM daily_summary
    CROSS JOIN params
    WHERE
        daily_summary.session < params.session
        AND daily_summary.session >= DATE_ADD('day', -10, params.session)
),

staged AS (
    SELECT daily_summary_staging.symbol
    FROM daily_summary_staging
    INNER JOIN params ON daily_summary_staging.session = params.session
)

SELECT
    earlier.symbol,
    earlier.session AS last_session,
    earlier.last_quote_utc
FROM daily_summary AS earlier
INNER JOIN session_before ON earlier.session = session_before.session
LEFT JOIN staged ON earlier.symbol = staged.symbol
WHERE staged.symbol IS NULL
ORDER BY earlier.symbol
