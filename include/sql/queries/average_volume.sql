-- The mean of the volume field for each symbol, over everything ever stored.
-- Grain: one row per symbol.
-- Source: stock_data_table.
-- Cost: raw, every partition.
-- Note: volume is the day's total so far, so this is no trading volume per quote, minute or day; for volume by session:
--   volume_against_average.sql.
-- Empty: the raw zone is empty, or the crawler has not seen it
-- Plot: bars of=avg_volume by=symbol
SELECT
    symbol,
    AVG(volume) AS avg_volume
FROM stock_data_table
GROUP BY symbol
