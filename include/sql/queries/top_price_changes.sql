-- The five quotes with the largest rise in dollars over the previous close, over everything ever stored.
-- Grain: one row per quote, so that a symbol that stayed high fills several. By symbol and session: top_movers.sql.
-- Source: stock_data_table.
-- Cost: raw, every partition.
-- Empty: the raw zone is empty, or the crawler has not seen it
SELECT
    symbol,
    price,
    previous_close,
    (price - previous_close) AS price_change
FROM stock_data_table
ORDER BY price_change DESC
LIMIT 5
