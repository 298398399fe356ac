-- The session is one of the exchange's and has staged minute bars; publishing nothing would empty it.
-- Grain: one row if it is not so.
-- Source: minute_bars_staging, trading_sessions.
-- Cost: curated, one session: megabytes.
-- Severity: fail
-- Scope: session
WITH params AS (
    SELECT DATE '2026-03-12' AS session  -- the session to check
),

staged AS (
    SELECT COUNT(*) AS minutes
    FROM minute_bars_staging
    CROSS JOIN params
    WHERE minute_bars_staging.session = params.session
),

calendar AS (
    SELECT COUNT(*) AS sessions
    FROM trading_sessions
    INNER JOIN params ON trading_sessions.session = params.session
)

SELECT
    params.session,
    calendar.sessions > 0 AS is_session,
    staged.minutes
FROM params
CROSS JOIN staged
CROSS JOIN calendar
WHERE
    staged.minutes = 0
    OR calendar.sessions = 0
