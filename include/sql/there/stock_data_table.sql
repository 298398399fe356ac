-- The trading dates that the catalog has of the raw zone, to say why a query gave no rows.
-- Grain: one row per trading date.
-- Source: none, but the catalog's list of partitions.
-- Cost: nothing, no data is read.
SELECT DISTINCT DATE(dt) AS session
FROM "stock_data_table$partitions"
ORDER BY session
