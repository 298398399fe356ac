-- How many files and bytes each partition of the raw zone has: where small files make every query slow.
-- Grain: one row per partition.
-- Source: stock_data_table.
-- Cost: raw, the partitions of the range.
-- Plot: bar x=dt y=mean_file_kb
WITH

params AS (
    SELECT
        DATE '2026-03-12' AS first_session,  -- first trading date of the range
        DATE '2026-03-31' AS last_session  -- last trading date of the range
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
