-- No two staged rows of the session share their key.
-- Grain: one row per key that occurs more than once.
-- Source: minute_bars_staging.
-- Cost: curated, one session: megabytes.
-- Severity: fail
-- Scope: symbol
-- Generated: by `make sql` from minute_bars/table.yaml; change it there.
WITH params AS (
    SELECT DATE '2026-03-12' AS session  -- the session to check
)

SELECT
    minute_bars_staging.symbol,
    minute_bars_staging.minute_utc,
    COUNT(*) AS copies
FROM minute_bars_staging
INNER JOIN params ON minute_bars_staging.session = params.session
GROUP BY minute_bars_staging.symbol, minute_bars_staging.minute_utc
HAVING COUNT(*) > 1
ORDER BY minute_bars_staging.symbol, minute_bars_staging.minute_utc
