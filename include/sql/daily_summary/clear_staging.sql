-- Delete what was staged for daily_summary over thirty days ago; it is published or was refused.
-- Grain: none.
-- Source: daily_summary_staging.
-- Cost: curated, kilobytes.
-- Rerun: any number of times.
-- Generated: by `make sql` from daily_summary/table.yaml; change it there.
DELETE FROM daily_summary_staging
WHERE session < DATE_ADD('day', -30, CURRENT_DATE)
