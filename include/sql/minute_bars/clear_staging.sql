-- Delete what was staged for minute_bars over thirty days ago; it is published or was refused.
-- Grain: none.
-- Source: minute_bars_staging.
-- Cost: curated, kilobytes.
-- Rerun: any number of times.
-- Generated: by `make sql` from minute_bars/table.yaml; change it there.
DELETE FROM minute_bars_staging
WHERE session < DATE_ADD('day', -30, CURRENT_DATE)
