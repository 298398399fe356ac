-- Put one chunk of fetched history into daily_history, in place of the same sessions and symbols there.
-- Grain: one row per session and symbol.
-- Source: daily_history_incoming, daily_history.
-- Cost: curated, the chunk and the months it lies in: kilobytes.
-- Rerun: any number of times; a reader sees the chunk's sessions as they were or as they are.
MERGE INTO daily_history AS published
USING (
    WITH params AS (
        SELECT 'chunk.json.gz' AS object_name  -- the chunk's object, without the folder
    ),

    chunk AS (
        SELECT
            CAST(incoming_rows.session AS date) AS session,
            incoming_rows.symbol,
            incoming_rows.open_usd,
            incoming_rows.high_usd,
            incoming_rows.low_usd,
            incoming_rows.close_usd,
            incoming_rows.volume_shares,
            incoming_rows.vendor,
            CAST(FROM_ISO8601_TIMESTAMP(incoming_rows.fetched_at_utc) AT TIME ZONE 'UTC' AS timestamp) AS fetched_at_utc
        FROM daily_history_incoming AS incoming_rows
        CROSS JOIN params
        WHERE REGEXP_EXTRACT(incoming_rows."$path", '[^/]+$') = params.object_name
    )

    -- The rest is generated from table.yaml by `make sql`.
    SELECT
        'published' AS origin,
        published_before.session,
        published_before.symbol,
        published_before.open_usd,
        published_before.high_usd,
        published_before.low_usd,
        published_before.close_usd,
        published_before.volume_shares,
        published_before.vendor,
        published_before.fetched_at_utc
    FROM daily_history AS published_before
    INNER JOIN chunk
        ON
            published_before.session = chunk.session
            AND published_before.symbol = chunk.symbol
    UNION ALL
    SELECT
        'fetched' AS origin,
        chunk.session,
        chunk.symbol,
        chunk.open_usd,
        chunk.high_usd,
        chunk.low_usd,
        chunk.close_usd,
        chunk.volume_shares,
        chunk.vendor,
        chunk.fetched_at_utc
    FROM chunk
) AS incoming
    ON
        incoming.origin = 'published'
        AND published.session = incoming.session
        AND published.symbol = incoming.symbol
WHEN MATCHED THEN DELETE
WHEN NOT MATCHED THEN INSERT (
    session, symbol, open_usd, high_usd, low_usd, close_usd, volume_shares, vendor, fetched_at_utc
) VALUES (
    incoming.session, incoming.symbol, incoming.open_usd, incoming.high_usd, incoming.low_usd, incoming.close_usd,
    incoming.volume_shares, incoming.vendor, incoming.fetched_at_utc
)
