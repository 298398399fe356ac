-- What arrived for a range of sessions: from which sources, and how soon after its own time.
-- Grain: one row per session and source.
-- Source: stock_data_table.
-- Cost: raw, the partitions of the range.
-- Note: seconds are from a quote's own time to its arrival at the producer. A replayed quote is as old as its file.
WITH params AS (
    SELECT
        DATE '2026-03-12' AS first_session,  -- first session of the range
        DATE '2026-03-12' AS last_session  -- last session of the range
),

received AS (
    SELECT
        CAST(raw_quotes.dt AS date) AS session,
        raw_quotes.source,
        DATE_DIFF(
            'second',
            FROM_ISO8601_TIMESTAMP(raw_quotes.timestamp),
            FROM_ISO8601_TIMESTAMP(raw_quotes.ingested_at)
        ) AS delay_seconds
    FROM stock_data_table AS raw_quotes
    CROSS JOIN params
    WHERE raw_quotes.dt BETWEEN CAST(params.first_session AS varchar) AND CAST(params.last_session AS varchar)
)

SELECT
    session,
    source,
    COUNT(*) AS records,
    COUNT_IF(delay_seconds <= 5) AS within_5_seconds,
    COUNT_IF(delay_seconds <= 60) AS within_60_seconds,
    MAX(delay_seconds) AS longest_seconds
FROM received
GROUP BY session, source
ORDER BY session, source
