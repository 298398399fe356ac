-- How many files and bytes each partition of the raw zone has: where small files make every query slow.
-- Grain: one row per partition.
-- Source: stock_data_table.
-- Cost: raw, the partitions of the range.
-- Plot: bars of=mean_file_kb by=dt
WITH params AS (
    SELECT
        (
            SELECT MIN(earlier.trading_date)
            FROM (
                SELECT DATE(one.dt) AS trading_date
                FROM "stock_data_table$partitions" AS one
                WHERE DATE(one.dt) <= (SELECT DATE(MAX(newest.dt)) FROM "stock_data_table$partitions" AS newest)
                ORDER BY one.dt DESC
                LIMIT 10
            ) AS earlier
        ) AS first_session,  -- first trading date of the range
        (SELECT DATE(MAX(newest.dt)) FROM "stock_data_table$partitions" AS newest) AS last_session  -- last of them
),

files AS (
    SELECT
        raw_quotes.dt,
        raw_quotes."$path" AS file_path,
        MAX(raw_quotes."$file_size") AS file_bytes,
        COUNT(*) AS records
    FROM stock_data_table AS raw_quotes
    CROSS JOIN params
    WHERE raw_quotes.dt BETWEEN CAST(params.first_session AS varchar) AND CAST(params.last_session AS varchar)
    GROUP BY raw_quotes.dt, raw_quotes."$path"
)

SELECT
    dt,
    COUNT(*) AS files,
    SUM(file_bytes) AS bytes,
    SUM(records) AS records,
    ROUND(AVG(file_bytes) / 1000, 1) AS mean_file_kb
FROM files
GROUP BY dt
ORDER BY dt
