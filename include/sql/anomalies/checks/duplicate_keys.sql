-- No two staged rows of the session share their key.
-- Grain: one row per key that occurs more than once.
-- Source: anomalies_staging.
-- Cost: curated, one session: kilobytes.
-- Severity: fail
-- Scope: symbol
-- Generated: by `make sql` from anomalies/table.yaml; change it there.
WITH params AS (
    SELECT DATE '2026-03-12' AS session  -- the session to check
)

SELECT
    anomalies_staging.symbol,
    anomalies_staging.started_at_utc,
    COUNT(*) AS copies
FROM anomalies_staging
INNER JOIN params ON anomalies_staging.session = params.session
GROUP BY anomalies_staging.symbol, anomalies_staging.started_at_utc
HAVING COUNT(*) > 1
ORDER BY anomalies_staging.symbol, anomalies_staging.started_at_utc
