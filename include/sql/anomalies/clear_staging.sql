-- Delete what was staged for anomalies over thirty days ago; it is published or was refused.
-- Grain: none.
-- Source: anomalies_staging.
-- Cost: curated, kilobytes.
-- Rerun: any number of times.
-- Generated: by `make sql` from anomalies/table.yaml; change it there.
DELETE FROM anomalies_staging
WHERE session < DATE_ADD('day', -30, CURRENT_DATE)
