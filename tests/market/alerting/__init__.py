"""Tests of alert rules: conditions, engine, files and the past."""
