-- Drop the versions of anomalies that are over five days old, Athena's default, and the files that only they need.
-- Grain: none.
-- Source: anomalies.
-- Cost: nothing is scanned.
-- Rerun: any number of times. FOR TIMESTAMP AS OF reaches back no further than this.
-- Generated: by `make sql` from anomalies/table.yaml; change it there.
VACUUM anomalies
