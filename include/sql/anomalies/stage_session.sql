-- Find the price moves of one session and put them into anomalies_staging in place of those staged before.
-- Grain: one row per session, symbol and event: an unbroken run of quotes whose |change %| is above the threshold.
-- Source: stock_data_table, trading_sessions.
-- Cost: raw, one partition: hundreds of megabytes for a busy session.
-- Rerun: any number of times; the staged rows depend on the raw zone alone.
MERGE INTO anomalies_staging AS staged
USING (
    WITH params AS (
        SELECT
            DATE '2026-03-12' AS session,  -- the session to search
            '9999-12-31T00:00:00Z' AS ingested_until,  -- quotes that came later are left for the next run
            5.0 AS threshold_pct  -- a move is above this many per cent of the previous close; the stream's own is 5
    ),

    received AS (
        SELECT
            raw_quotes.symbol,
            CAST(FROM_ISO8601_TIMESTAMP(raw_quotes.timestamp) AT TIME ZONE 'UTC' AS timestamp) AS quoted_at,
            CAST(FROM_ISO8601_TIMESTAMP(raw_quotes.ingested_at) AT TIME ZONE 'UTC' AS timestamp) AS ingested_at,
            raw_quotes.price,
            raw_quotes.previous_close,
            raw_quotes.volume,
            COALESCE(raw_quotes.revision, 0) AS revision,
            COALESCE(' ' || ARRAY_JOIN(raw_quotes.suspect, ' '), '') AS suspect,
            CAST(FROM_ISO8601_TIMESTAMP(raw_quotes.confirms) AT TIME ZONE 'UTC' AS timestamp) AS confirms
        FROM stock_data_table AS raw_quotes
        CROSS JOIN params
        WHERE
            raw_quotes.dt = CAST(params.session AS varchar)
            AND raw_quotes.ingested_at <= params.ingested_until
    ),

    -- Of a symbol and time the highest revision stands, of equal ones the first to arrive. A run of suspect prices that
    -- the stream confirmed reaches from `confirms` to the quote that has it; if that finds the previous close suspect,
    -- it is for the whole run.
    copies AS (
        SELECT
            *,
            ROW_NUMBER() OVER (
                PARTITION BY symbol, quoted_at ORDER BY revision DESC, ingested_at, volume, price
            ) AS copy_number,
            MIN(confirms) OVER (PARTITION BY symbol ORDER BY quoted_at DESC) AS confirmed_from,
            MIN(IF(suspect LIKE '% previous_close:%', confirms)) OVER (
                PARTITION BY symbol ORDER BY quoted_at DESC
            ) AS rescaled_from
        FROM received
    ),

    -- A figure that the stream found suspect counts as absent, a price of a confirmed run aside.
    counted AS (
        SELECT
            symbol,
            quoted_at,
            price,
            previous_close
        FROM copies
        WHERE
            copy_number = 1
            AND price > 0
            AND previous_close > 0
            AND suspect NOT LIKE '% previous_close:%'
            AND COALESCE(rescaled_from > quoted_at, TRUE)
            AND suspect NOT LIKE '% price:withdrawn%'
            AND (suspect NOT LIKE '% price:%' OR COALESCE(confirmed_from <= quoted_at, FALSE))
    ),

    -- Eight decimals first: a change of 5.005 has no exact double, and must round up as it does in the stream. A change
    -- of 10^30 per cent and more is none.
    quotes AS (
        SELECT
            *,
            CAST(
                ROUND(TRY_CAST((price - previous_close) * 100 / previous_close AS decimal(38, 8)), 2) AS double
            ) AS change_pct
        FROM counted
    ),

    states AS (
        SELECT
            quotes.*,
            ABS(quotes.change_pct) > params.threshold_pct AS is_far,
            COALESCE(
                LAG(ABS(quotes.change_pct) > params.threshold_pct) OVER (
                    PARTITION BY quotes.symbol ORDER BY quotes.quoted_at
                ), FALSE
            ) AS was_far,
            quotes.quoted_at = MAX(quotes.quoted_at) OVER (PARTITION BY quotes.symbol) AS is_last
        FROM quotes
        CROSS JOIN params
        WHERE quotes.change_pct IS NOT NULL
    ),

    numbered AS (
        SELECT
            *,
            SUM(IF(is_far AND NOT was_far, 1, 0)) OVER (
                PARTITION BY symbol ORDER BY quoted_at ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
            ) AS event_number
        FROM states
    ),

    ranked AS (
        SELECT
            *,
            ROW_NUMBER() OVER (
                PARTITION BY symbol, event_number ORDER BY ABS(change_pct) DESC, quoted_at
            ) AS distance_rank
        FROM numbered
        WHERE is_far
    ),

    events AS (
        SELECT
            symbol,
            MIN(quoted_at) AS started_at_utc,
            MAX(quoted_at) AS ended_at_utc,
            BOOL_OR(is_last) AS lasted_to_the_end,
            COUNT(*) AS quotes,
            MIN_BY(previous_close, quoted_at) AS previous_close_usd,
            MIN_BY(price, quoted_at) AS start_price_usd,
            MIN_BY(change_pct, quoted_at) AS start_change_pct,
            MIN_BY(quoted_at, distance_rank) AS peak_at_utc,
            MIN_BY(price, distance_rank) AS peak_price_usd,
            MIN_BY(change_pct, distance_rank) AS peak_change_pct
        FROM ranked
        GROUP BY symbol, event_number
    ),

    computed AS (
        SELECT
            trading_sessions.session,
            events.symbol,
            events.started_at_utc,
            events.ended_at_utc,
            DATE_DIFF('second', events.started_at_utc, events.ended_at_utc) AS duration_seconds,
            events.lasted_to_the_end,
            'price_move' AS rule_name,
            IF(events.start_change_pct > 0, 'up', 'down') AS direction,
            CASE
                WHEN events.started_at_utc < trading_sessions.open_utc THEN 'pre'
                WHEN events.started_at_utc < trading_sessions.close_utc THEN 'regular'
                ELSE 'post'
            END AS phase,
            events.quotes,
            events.previous_close_usd,
            events.start_price_usd,
            events.start_change_pct,
            events.peak_at_utc,
            events.peak_price_usd,
            events.peak_change_pct
        FROM events
        CROSS JOIN params
        INNER JOIN trading_sessions ON params.session = trading_sessions.session
    )

    -- The rest is generated from table.yaml by `make sql`.
    SELECT
        'earlier' AS origin,
        earlier.session,
        earlier.symbol,
        earlier.started_at_utc,
        earlier.ended_at_utc,
        earlier.duration_seconds,
        earlier.lasted_to_the_end,
        earlier.rule_name,
        earlier.direction,
        earlier.phase,
        earlier.quotes,
        earlier.previous_close_usd,
        earlier.start_price_usd,
        earlier.start_change_pct,
        earlier.peak_at_utc,
        earlier.peak_price_usd,
        earlier.peak_change_pct
    FROM anomalies_staging AS earlier
    CROSS JOIN params
    WHERE earlier.session = params.session
    UNION ALL
    SELECT
        'computed' AS origin,
        computed.session,
        computed.symbol,
        computed.started_at_utc,
        computed.ended_at_utc,
        computed.duration_seconds,
        computed.lasted_to_the_end,
        computed.rule_name,
        computed.direction,
        computed.phase,
        computed.quotes,
        computed.previous_close_usd,
        computed.start_price_usd,
        computed.start_change_pct,
        computed.peak_at_utc,
        computed.peak_price_usd,
        computed.peak_change_pct
    FROM computed
) AS incoming
    ON
        incoming.origin = 'earlier'
        AND staged.session = incoming.session
        AND staged.symbol = incoming.symbol
        AND staged.started_at_utc = incoming.started_at_utc
WHEN MATCHED THEN DELETE
WHEN NOT MATCHED THEN INSERT (
    session, symbol, started_at_utc, ended_at_utc, duration_seconds, lasted_to_the_end, rule_name, direction, phase,
    quotes, previous_close_usd, start_price_usd, start_change_pct, peak_at_utc, peak_price_usd, peak_change_pct
) VALUES (
    incoming.session, incoming.symbol, incoming.started_at_utc, incoming.ended_at_utc, incoming.duration_seconds,
    incoming.lasted_to_the_end, incoming.rule_name, incoming.direction, incoming.phase, incoming.quotes,
    incoming.previous_close_usd, incoming.start_price_usd, incoming.start_change_pct, incoming.peak_at_utc,
    incoming.peak_price_usd, incoming.peak_change_pct
)
