-- Drop the versions of minute_bars that are over five days old, Athena's default, and the files that only they need.
-- Grain: none.
-- Source: minute_bars.
-- Cost: nothing is scanned.
-- Rerun: any number of times. FOR TIMESTAMP AS OF reaches back no further than this.
-- Generated: by `make sql` from minute_bars/table.yaml; change it there.
VACUUM minute_bars
