"""Yahoo Finance: charts, its stream of prices, and daily history."""
