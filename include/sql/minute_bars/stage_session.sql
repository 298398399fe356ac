-- Compute the minute bars of one session and put them into minute_bars_staging in place of those staged before.
-- Grain: one row per symbol and minute with at least one quote.
-- Source: stock_data_table, trading_sessions.
-- Cost: raw, one partition: hundreds of megabytes for a busy session.
-- Rerun: any number of times; the staged rows depend on the raw zone alone.
MERGE INTO minute_bars_staging AS staged
USING (
    WITH

    params AS (
        SELECT DATE '2026-03-12' AS session  -- the session to compute
    ),

    received AS (
        SELECT
            raw_quotes.symbol,
            CAST(FROM_ISO8601_TIMESTAMP(raw_quotes.timestamp) AT TIME ZONE 'UTC' AS timestamp) AS quoted_at,
            CAST(FROM_ISO8601_TIMESTAMP(raw_quotes.ingested_at) AT TIME ZONE 'UTC' AS timestamp) AS ingested_at,
            raw_quotes.price,
            raw_quotes.previous_close,
            raw_quotes.volume
        FROM stock_data_table AS raw_quotes
        CROSS JOIN params
        WHERE raw_quotes.dt = CAST(params.session AS varchar)
    ),

    copies AS (
        SELECT
            *,
            ROW_NUMBER() OVER (PARTITION BY symbol, quoted_at ORDER BY ingested_at, volume, price) AS copy_number,
            COUNT(*) OVER (PARTITION BY symbol, quoted_at) - 1 AS repeats,
            MAX(quoted_at) OVER (
                PARTITION BY symbol ORDER BY ingested_at, quoted_at
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            ) AS newest_before
        FROM received
    ),

    -- The day's volume so far is a counter of the vendor's. 0 says nothing: the field is left out of some messages.
    quotes AS (
        SELECT
            symbol,
            quoted_at,
            price,
            previous_close,
            repeats,
            COALESCE(quoted_at < newest_before, FALSE) AS is_late,
            NULLIF(volume, 0) AS day_volume,
            LAG(NULLIF(volume, 0)) IGNORE NULLS OVER (PARTITION BY symbol ORDER BY quoted_at) AS previous_day_volume
        FROM copies
        WHERE copy_number = 1
    ),

    -- A counter below half of what it was has started anew; one a little lower was corrected, and goes on.
    counters AS (
        SELECT
            *,
            SUM(IF(2 * day_volume < previous_day_volume, 1, 0)) OVER (
                PARTITION BY symbol ORDER BY quoted_at ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
            ) AS counter_number
        FROM quotes
    ),

    highest_counts AS (
        SELECT
            *,
            COALESCE(
                MAX(day_volume) OVER (
                    PARTITION BY symbol, counter_number ORDER BY quoted_at
                    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
                ), 0
            ) AS counted_before
        FROM counters
    ),

    trades AS (
        SELECT
            symbol,
            quoted_at,
            DATE_TRUNC('minute', quoted_at) AS minute_utc,
            price,
            previous_close,
            repeats,
            is_late,
            IF(day_volume > counted_before, day_volume - counted_before, 0) AS traded_shares
        FROM highest_counts
    ),

    bars AS (
        SELECT
            symbol,
            minute_utc,
            MIN_BY(price, quoted_at) AS open_usd,
            MAX(price) AS high_usd,
            MIN(price) AS low_usd,
            MAX_BY(price, quoted_at) AS close_usd,
            SUM(traded_shares) AS volume_shares,
            SUM(price * traded_shares) AS turnover_usd,
            MAX_BY(previous_close, quoted_at) AS previous_close_usd,
            COUNT(*) AS quotes,
            COUNT_IF(is_late) AS late_quotes,
            SUM(repeats) AS repeated_quotes,
            MIN(quoted_at) AS first_quote_utc,
            MAX(quoted_at) AS last_quote_utc
        FROM trades
        GROUP BY symbol, minute_utc
    ),

    computed AS (
        SELECT
            trading_sessions.session,
            bars.symbol,
            bars.minute_utc,
            CASE
                WHEN bars.minute_utc < trading_sessions.open_utc THEN 'pre'
                WHEN bars.minute_utc < trading_sessions.close_utc THEN 'regular'
                ELSE 'post'
            END AS phase,
            bars.open_usd,
            bars.high_usd,
            bars.low_usd,
            bars.close_usd,
            bars.volume_shares,
            bars.turnover_usd,
            bars.previous_close_usd,
            bars.quotes,
            bars.late_quotes,
            bars.repeated_quotes,
            bars.first_quote_utc,
            bars.last_quote_utc
        FROM bars
        CROSS JOIN params
        INNER JOIN trading_sessions ON params.session = trading_sessions.session
    )

    SELECT
        'earlier' AS origin,
        earlier.*
    FROM minute_bars_staging AS earlier
    CROSS JOIN params
    WHERE earlier.session = params.session
    UNION ALL
    SELECT
        'computed' AS origin,
        computed.*
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
