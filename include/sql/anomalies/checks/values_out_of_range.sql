-- Every staged event is possible: it ends after it starts, its peak lies within and is the farthest it went.
-- Grain: one row per impossible event.
-- Source: anomalies_staging.
-- Cost: curated, one session: kilobytes.
-- Severity: fail
-- Scope: symbol
WITH params AS (
    SELECT DATE '2026-03-12' AS session  -- the session to check
),

staged AS (
    SELECT anomalies_staging.*
    FROM anomalies_staging
    INNER JOIN params ON anomalies_staging.session = params.session
)

SELECT
    symbol,
    started_at_utc,
    ended_at_utc,
    direction,
    phase,
    start_change_pct,
    peak_at_utc,
    peak_change_pct,
    previous_close_usd
FROM staged
WHERE
    NOT COALESCE(
        symbol <> ''
        AND direction IN ('up', 'down')
        AND phase IN ('pre', 'regular', 'post')
        AND quotes > 0
        AND duration_seconds >= 0
        AND peak_at_utc BETWEEN started_at_utc AND ended_at_utc
        AND ABS(peak_change_pct) >= ABS(start_change_pct)
        AND previous_close_usd > 0, FALSE
    )
ORDER BY symbol, started_at_utc
