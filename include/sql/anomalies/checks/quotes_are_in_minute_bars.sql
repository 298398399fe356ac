-- Every staged event starts in a minute that the staged minute bars have, and ends in one.
-- Grain: one row per event that does not.
-- Source: anomalies_staging, minute_bars_staging.
-- Cost: curated, one session: megabytes.
-- Severity: fail
-- Scope: symbol
WITH params AS (
    SELECT DATE '2026-03-12' AS session  -- the session to check
),

minutes AS (
    SELECT
        minute_bars_staging.symbol,
        minute_bars_staging.minute_utc
    FROM minute_bars_staging
    INNER JOIN params ON minute_bars_staging.session = params.session
),

events AS (
    SELECT
        anomalies_staging.symbol,
        anomalies_staging.started_at_utc,
        anomalies_staging.ended_at_utc
    FROM anomalies_staging
    INNER JOIN params ON anomalies_staging.session = params.session
)

SELECT
    events.symbol,
    events.started_at_utc,
    events.ended_at_utc
FROM events
LEFT JOIN minutes AS first_minutes
    ON
        events.symbol = first_minutes.symbol
        AND DATE_TRUNC('minute', events.started_at_utc) = first_minutes.minute_utc
LEFT JOIN minutes AS last_minutes
    ON
        events.symbol = last_minutes.symbol
        AND DATE_TRUNC('minute', events.ended_at_utc) = last_minutes.minute_utc
WHERE
    first_minutes.minute_utc IS NULL
    OR last_minutes.minute_utc IS NULL
ORDER BY events.symbol, events.started_at_utc
