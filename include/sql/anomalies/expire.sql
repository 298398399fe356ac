-- Drop the versions of anomalies that are over five days old, Athena's default, and the files that only they need.
-- Grain: none.
-- Source: anomalies.
-- Cost: nothing is scanned.
-- Rerun: any number of times. FOR TIMESTAMP AS OF reaches back no further than this.
VACUUM anomalies
