"""The raw zone and the curated tables, as Athena sees them."""
