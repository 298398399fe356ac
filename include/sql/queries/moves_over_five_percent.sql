-- Every quote more than 5 % away from the previous close, over everything ever stored.
-- Grain: one row per quote; an hour above 5 % is many rows. For one row per event: anomalies_with_context.sql.
-- Source: stock_data_table.
-- Cost: raw, every partition.
-- Empty: no quote was more than 5 % away from its previous close
SELECT
    symbol,
    price,
    previous_close,
    ROUND(((price - previous_close) / previous_close) * 100, 2) AS change_percent
FROM stock_data_table
WHERE ABS(((price - previous_close) / previous_close) * 100) > 5
