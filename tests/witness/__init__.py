"""Asks Trino, whose engine Athena runs, what it makes of our statements and tables: `make witness`."""
