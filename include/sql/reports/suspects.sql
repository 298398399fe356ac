-- What was not believed or was corrected in a range of sessions: figures by symbol and reason, as the stream judged.
-- Grain: one row per session, symbol and code; a code is a figure with its reason, or `corrected`.
-- Source: stock_data_table.
-- Cost: raw, the partitions of the range.
-- Note: of each symbol and time the version that stands is counted. A suspect price of a run that was confirmed is
--   believed and so not counted.
WITH params AS (
    SELECT
        DATE '2026-03-12' AS first_session,  -- first session of the range
        DATE '2026-03-12' AS last_session  -- last session of the range
),

received AS (
    SELECT
        raw_quotes.dt,
        raw_quotes.symbol,
        FROM_ISO8601_TIMESTAMP(raw_quotes.timestamp) AS quoted_at,
        FROM_ISO8601_TIMESTAMP(raw_quotes.ingested_at) AS ingested_at,
        FROM_ISO8601_TIMESTAMP(raw_quotes.confirms) AS confirms,
        raw_quotes.volume,
        raw_quotes.price,
        raw_quotes.suspect,
        COALESCE(raw_quotes.revision, 0) AS revision
    FROM stock_data_table AS raw_quotes
    CROSS JOIN params
    WHERE raw_quotes.dt BETWEEN CAST(params.first_session AS varchar) AND CAST(params.last_session AS varchar)
),

copies AS (
    SELECT
        *,
        ROW_NUMBER() OVER (
            PARTITION BY dt, symbol, quoted_at ORDER BY revision DESC, ingested_at, volume, price
        ) AS copy_number,
        MIN(confirms) OVER (PARTITION BY dt, symbol ORDER BY quoted_at DESC) AS confirmed_from
    FROM received
),

codes AS (
    SELECT
        copies.dt,
        copies.symbol,
        copies.quoted_at,
        listed.code
    FROM copies
    CROSS JOIN UNNEST(copies.suspect) AS listed (code)
    WHERE
        copies.copy_number = 1
        AND listed.code NOT LIKE '%:withdrawn'
        AND (
            listed.code NOT LIKE 'price:%'
            OR copies.price = 0
            OR COALESCE(copies.confirmed_from > copies.quoted_at, TRUE)
        )
    UNION ALL
    SELECT
        dt,
        symbol,
        quoted_at,
        'corrected' AS code
    FROM copies
    WHERE
        copy_number = 1
        AND revision > 0
)

SELECT
    CAST(dt AS date) AS session,
    symbol,
    code,
    COUNT(*) AS quotes,
    CAST(MIN(quoted_at) AT TIME ZONE 'UTC' AS timestamp) AS first_quoted_at_utc
FROM codes
GROUP BY dt, symbol, code
ORDER BY dt, symbol, code
