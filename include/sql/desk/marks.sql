-- A symbol's anomalies of a session, for the market desk.
-- Grain: one row per event.
-- Source: anomalies.
-- Cost: curated, kilobytes a session; a month is read.
WITH params AS (
    SELECT
        DATE '2026-03-12' AS session,  -- the session
        'AAPL' AS symbol  -- the symbol
)

SELECT
    anomalies.started_at_utc,
    anomalies.rule_name,
    anomalies.start_change_pct,
    anomalies.peak_change_pct,
    anomalies.duration_seconds
FROM anomalies
INNER JOIN params
    ON
        anomalies.session = params.session
        AND anomalies.symbol = params.symbol
ORDER BY anomalies.started_at_utc
