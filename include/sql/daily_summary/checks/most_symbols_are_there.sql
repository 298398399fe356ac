-- Enough symbols of the session before have a quote for the feed to be taken as whole.
-- Grain: one row if it is not so.
-- Source: daily_summary_staging, daily_summary.
-- Cost: curated, kilobytes.
-- Severity: fail
-- Scope: session
-- Note: the session before is the newest published one of the ten days before this one. Which symbols are missing:
--   symbols_are_there.sql.
WITH params AS (
    SELECT
        DATE '2026-03-12' AS session,  -- the session to check
        25.0 AS min_symbols_pct  -- symbols that must be there, in per cent of those of the session before
),

session_before AS (
    SELECT MAX(daily_summary.session) AS session
    FROM daily_summary
    CROSS JOIN params
    WHERE
        daily_summary.session < params.session
        AND daily_summary.session >= DATE_ADD('day', -10, params.session)
),

counts AS (
    SELECT
        earlier.session AS session_before,
        COUNT(*) AS symbols_before,
        COUNT(staged.symbol) AS symbols_there
    FROM daily_summary AS earlier
    INNER JOIN session_before ON earlier.session = session_before.session
    CROSS JOIN params
    LEFT JOIN daily_summary_staging AS staged
        ON
            earlier.symbol = staged.symbol
            AND params.session = staged.session
    GROUP BY earlier.session
)

SELECT
    params.session,
    counts.session_before,
    counts.symbols_there,
    counts.symbols_before
FROM counts
CROSS JOIN params
WHERE 100E0 * counts.symbols_there / counts.symbols_before < params.min_symbols_pct
