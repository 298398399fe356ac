"""A record's way from a producer to the tables and the raw zone."""
