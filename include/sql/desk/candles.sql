-- A symbol's session by the minute, for the market desk: bars, moving averages over closes, and where these cross.
-- Grain: one row per minute with at least one quote.
-- Source: minute_bars.
-- Cost: curated, megabytes a session.
-- Note: averages are over the last 5 and 20 bars of the session, of as many as there are at its start; the stream's own
--   are over quotes. A cross needs 20 bars before it has a side; a touch is no cross, leaving it on the other side is.
WITH params AS (
    SELECT
        DATE '2026-03-12' AS session,  -- the session
        'AAPL' AS symbol  -- the symbol
),

bars AS (
    SELECT
        minute_bars.minute_utc,
        minute_bars.open_usd,
        minute_bars.high_usd,
        minute_bars.low_usd,
        minute_bars.close_usd,
        minute_bars.volume_shares,
        minute_bars.quotes,
        minute_bars.previous_close_usd,
        AVG(minute_bars.close_usd) OVER (
            ORDER BY minute_bars.minute_utc ROWS BETWEEN 4 PRECEDING AND CURRENT ROW
        ) AS average_5_usd,
        AVG(minute_bars.close_usd) OVER (
            ORDER BY minute_bars.minute_utc ROWS BETWEEN 19 PRECEDING AND CURRENT ROW
        ) AS average_20_usd,
        ROW_NUMBER() OVER (ORDER BY minute_bars.minute_utc) AS bar_number
    FROM minute_bars
    INNER JOIN params
        ON
            minute_bars.session = params.session
            AND minute_bars.symbol = params.symbol
),

-- 1 above, -1 below, NULL where the averages touch, to a millionth of a dollar, and during warm-up.
sides AS (
    SELECT
        *,
        IF(bar_number >= 20, NULLIF(SIGN(ROUND(average_5_usd - average_20_usd, 6)), 0), NULL) AS side
    FROM bars
),

changes AS (
    SELECT
        *,
        LAG(side) IGNORE NULLS OVER (ORDER BY minute_utc) AS side_before
    FROM sides
)

SELECT
    minute_utc,
    open_usd,
    high_usd,
    low_usd,
    close_usd,
    volume_shares,
    quotes,
    previous_close_usd,
    average_20_usd,
    average_5_usd,
    CASE
        WHEN side * side_before < 0 AND side > 0 THEN 'trend_up'
        WHEN side * side_before < 0 THEN 'trend_down'
    END AS crossed
FROM changes
ORDER BY minute_utc
