-- Ten rows of the raw zone as they are, to see what a quote looks like.
-- Grain: one row per quote.
-- Source: stock_data_table.
-- Cost: raw, one file or a few.
-- Empty: the raw zone is empty, or the crawler has not seen it
SELECT *
FROM stock_data_table
LIMIT 10
