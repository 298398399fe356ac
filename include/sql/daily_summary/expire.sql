-- Drop the versions of daily_summary that are over five days old, Athena's default, and the files that only they need.
-- Grain: none.
-- Source: daily_summary.
-- Cost: nothing is scanned.
-- Rerun: any number of times. FOR TIMESTAMP AS OF reaches back no further than this.
-- Generated: by `make sql` from daily_summary/table.yaml; change it there.
VACUUM daily_summary
