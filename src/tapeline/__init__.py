"""Tapeline's domain: quotes, indicators, alerts, partitions and settings. `tapeline.aws` alone talks to AWS."""
