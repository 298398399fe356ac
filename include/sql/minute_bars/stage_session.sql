-- Compute the minute bars of one session and put them into minute_bars_staging in place of those staged before.
-- Grain: one row per symbol and minute with at least one quote.
-- Source: stock_data_table, trading_sessions.
-- Cost: raw, one partition: hundreds of megabytes for a busy session.
-- Rerun: any number of times; the staged rows depend on the raw zone alone.
MERGE INTO minute_bars_staging AS staged
USING (
    WITH params AS (
        SELECT
            DATE '2026-03-12' AS session,  -- the session to compute
            '9999-12-31T00:00:00Z' AS ingested_until  -- quotes that came later are left for the next run
    ),

    asked_session AS (
        SELECT
            trading_sessions.session,
            trading_sessions.open_utc,
            trading_sessions.close_utc
        FROM trading_sessions
        INNER JOIN params ON trading_sessions.session = params.session
    ),

    received AS (
        SELECT
            raw_quotes.symbol,
            CAST(FROM_ISO8601_TIMESTAMP(raw_quotes.timestamp) AT TIME ZONE 'UTC' AS timestamp) AS quoted_at,
            CAST(FROM_ISO8601_TIMESTAMP(raw_quotes.ingested_at) AT TIME ZONE 'UTC' AS timestamp) AS ingested_at,
            raw_quotes.open,
            raw_quotes.high,
            raw_quotes.low,
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
    -- as after a split, the prices are on another scale from the run's first quote on.
    copies AS (
        SELECT
            *,
            ROW_NUMBER() OVER (
                PARTITION BY symbol, quoted_at ORDER BY revision DESC, ingested_at, volume, price
            ) AS copy_number,
            ROW_NUMBER() OVER (PARTITION BY symbol, quoted_at ORDER BY ingested_at) AS arrival_number,
            ROW_NUMBER() OVER (PARTITION BY symbol, quoted_at, revision ORDER BY ingested_at) > 1 AS is_repeat,
            MAX(revision) OVER (PARTITION BY symbol, quoted_at) AS standing_revision,
            MIN(confirms) OVER (PARTITION BY symbol ORDER BY quoted_at DESC) AS confirmed_from,
            MIN(IF(suspect LIKE '% previous_close:%', confirms)) OVER (
                PARTITION BY symbol ORDER BY quoted_at DESC
            ) AS rescaled_from,
            MAX(quoted_at) OVER (
                PARTITION BY symbol ORDER BY ingested_at, quoted_at
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            ) AS newest_before
        FROM received
    ),

    moments AS (
        SELECT
            *,
            COUNT_IF(is_repeat) OVER (PARTITION BY symbol, quoted_at) AS repeats,
            BOOL_OR(arrival_number = 1 AND COALESCE(quoted_at < newest_before, FALSE)) OVER (
                PARTITION BY symbol, quoted_at
            ) AS is_late
        FROM copies
    ),

    -- Prices that a later revision replaced or withdrew. The vendor goes on telling them as the day's high or low.
    taken_back AS (
        SELECT
            symbol,
            MIN(quoted_at) AS first_quoted_at,
            ARRAY_AGG(price) AS prices
        FROM copies
        WHERE
            revision < standing_revision
            AND price > 0
        GROUP BY symbol
    ),

    -- A figure that the stream found suspect counts as absent, a price of a confirmed run aside. Of the figures of the
    -- day so far, 0 says nothing either: the vendor leaves them out of some messages. Nor does a price taken back; if
    -- another quote has that price, it counts with that quote.
    quotes AS (
        SELECT
            asked_session.session,
            moments.symbol,
            moments.quoted_at,
            moments.price,
            moments.repeats,
            moments.is_late,
            COALESCE(moments.rescaled_from <= moments.quoted_at, FALSE) AS is_rescaled,
            CASE
                WHEN moments.quoted_at < asked_session.open_utc THEN 'pre'
                WHEN moments.quoted_at < asked_session.close_utc THEN 'regular'
                ELSE 'post'
            END AS phase,
            IF(
                moments.suspect LIKE '% previous_close:%' OR moments.rescaled_from <= moments.quoted_at,
                NULL, NULLIF(moments.previous_close, 0)
            ) AS previous_close,
            IF(
                moments.suspect LIKE '% open:%' OR CONTAINS(taken_back.prices, moments.open),
                NULL, NULLIF(moments.open, 0)
            ) AS day_open,
            IF(
                moments.suspect LIKE '% high:%' OR CONTAINS(taken_back.prices, moments.high),
                NULL, NULLIF(moments.high, 0)
            ) AS day_high,
            IF(
                moments.suspect LIKE '% low:%' OR CONTAINS(taken_back.prices, moments.low),
                NULL, NULLIF(moments.low, 0)
            ) AS day_low,
            IF(moments.suspect LIKE '% volume:%', NULL, NULLIF(moments.volume, 0)) AS day_volume
        FROM moments
        CROSS JOIN asked_session
        LEFT JOIN taken_back
            ON
                moments.symbol = taken_back.symbol
                AND moments.quoted_at >= taken_back.first_quoted_at
        WHERE
            moments.copy_number = 1
            AND moments.price > 0
            AND moments.suspect NOT LIKE '% price:withdrawn%'
            AND (
                moments.suspect NOT LIKE '% price:%'
                OR COALESCE(moments.confirmed_from <= moments.quoted_at, FALSE)
            )
    ),

    steps AS (
        SELECT
            *,
            LAG(phase) OVER (PARTITION BY symbol ORDER BY quoted_at) AS phase_before,
            COALESCE(LAG(is_rescaled) OVER (PARTITION BY symbol ORDER BY quoted_at), FALSE) AS was_rescaled,
            LAG(day_open) IGNORE NULLS OVER (PARTITION BY symbol ORDER BY quoted_at) AS day_open_before,
            LAG(day_high) IGNORE NULLS OVER (PARTITION BY symbol ORDER BY quoted_at) AS day_high_before,
            LAG(day_low) IGNORE NULLS OVER (PARTITION BY symbol ORDER BY quoted_at) AS day_low_before,
            LAG(day_volume) IGNORE NULLS OVER (PARTITION BY symbol ORDER BY quoted_at) AS day_volume_before
        FROM quotes
    ),

    -- The day's volume is a counter. Below half of what it was it has started anew; a little lower it was corrected.
    counters AS (
        SELECT
            *,
            SUM(IF(2E0 * day_volume < day_volume_before, 1, 0)) OVER (
                PARTITION BY symbol ORDER BY quoted_at ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
            ) AS counter_number,
            SUM(IF(is_rescaled AND NOT was_rescaled, 1, 0)) OVER (
                PARTITION BY symbol ORDER BY quoted_at ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
            ) AS scale_number
        FROM steps
    ),

    -- A figure of the day that changed since the quote before tells of trades between the two. The day's open is the
    -- session's if it comes with the first regular quote, and not if quotes before the session had it already.
    moves AS (
        SELECT
            *,
            IF(
                phase = 'regular' AND phase_before IS DISTINCT FROM 'regular'
                AND day_open IS DISTINCT FROM day_open_before,
                COALESCE(day_open, price), price
            ) AS first_price,
            IF(day_high IS DISTINCT FROM day_high_before, COALESCE(day_high, price), price) AS high_price,
            IF(day_low IS DISTINCT FROM day_low_before, COALESCE(day_low, price), price) AS low_price,
            COALESCE(
                MAX(day_volume) OVER (
                    PARTITION BY symbol, counter_number ORDER BY quoted_at
                    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
                ), 0
            ) AS counted_before,
            COALESCE(
                previous_close,
                LAG(previous_close) IGNORE NULLS OVER (PARTITION BY symbol, scale_number ORDER BY quoted_at)
            ) AS known_previous_close
        FROM counters
    ),

    trades AS (
        SELECT
            session,
            symbol,
            phase,
            quoted_at,
            DATE_TRUNC('minute', quoted_at) AS minute_utc,
            first_price,
            price,
            known_previous_close AS previous_close,
            repeats,
            is_late,
            GREATEST(price, first_price, high_price) AS highest_price,
            LEAST(price, first_price, low_price) AS lowest_price,
            IF(day_volume > counted_before, day_volume - counted_before, 0) AS traded_shares
        FROM moves
    ),

    computed AS (
        SELECT
            session,
            symbol,
            minute_utc,
            phase,
            MIN_BY(first_price, quoted_at) AS open_usd,
            MAX(highest_price) AS high_usd,
            MIN(lowest_price) AS low_usd,
            MAX_BY(price, quoted_at) AS close_usd,
            -- No market trades 10^15 shares in a minute; a sum of what a vendor may say would not fit.
            CAST(LEAST(SUM(CAST(traded_shares AS double)), 1E15) AS bigint) AS volume_shares,
            SUM(price * traded_shares) AS turnover_usd,
            NULLIF(MAX_BY(COALESCE(previous_close, 0), quoted_at), 0) AS previous_close_usd,
            COUNT(*) AS quotes,
            COUNT_IF(is_late) AS late_quotes,
            SUM(repeats) AS repeated_quotes,
            MIN(quoted_at) AS first_quote_utc,
            MAX(quoted_at) AS last_quote_utc
        FROM trades
        GROUP BY session, symbol, minute_utc, phase
    )

    -- The rest is generated from table.yaml by `make sql`.
    SELECT
        'earlier' AS origin,
        earlier.session,
        earlier.symbol,
        earlier.minute_utc,
        earlier.phase,
        earlier.open_usd,
        earlier.high_usd,
        earlier.low_usd,
        earlier.close_usd,
        earlier.volume_shares,
        earlier.turnover_usd,
        earlier.previous_close_usd,
        earlier.quotes,
        earlier.late_quotes,
        earlier.repeated_quotes,
        earlier.first_quote_utc,
        earlier.last_quote_utc
    FROM minute_bars_staging AS earlier
    CROSS JOIN params
    WHERE earlier.session = params.session
    UNION ALL
    SELECT
        'computed' AS origin,
        computed.session,
        computed.symbol,
        computed.minute_utc,
        computed.phase,
        computed.open_usd,
        computed.high_usd,
        computed.low_usd,
        computed.close_usd,
        computed.volume_shares,
        computed.turnover_usd,
        computed.previous_close_usd,
        computed.quotes,
        computed.late_quotes,
        computed.repeated_quotes,
        computed.first_quote_utc,
        computed.last_quote_utc
    FROM computed
) AS incoming
    ON
        incoming.origin = 'earlier'
        AND staged.session = incoming.session
        AND staged.symbol = incoming.symbol
        AND staged.minute_utc = incoming.minute_utc
WHEN MATCHED THEN DELETE
WHEN NOT MATCHED THEN INSERT (
    session, symbol, minute_utc, phase, open_usd, high_usd, low_usd, close_usd, volume_shares, turnover_usd,
    previous_close_usd, quotes, late_quotes, repeated_quotes, first_quote_utc, last_quote_utc
) VALUES (
    incoming.session, incoming.symbol, incoming.minute_utc, incoming.phase, incoming.open_usd, incoming.high_usd,
    incoming.low_usd, incoming.close_usd, incoming.volume_shares, incoming.turnover_usd,
    incoming.previous_close_usd, incoming.quotes, incoming.late_quotes, incoming.repeated_quotes,
    incoming.first_quote_utc, incoming.last_quote_utc
)
