-- The volume-weighted average price of one symbol as it ran through a session, with bands around it.
-- Grain: one row per minute of regular trading with quotes.
-- Source: minute_bars; daily_summary for which sessions there are.
-- Cost: curated, one session: megabytes.
-- Note: the bands are vwap +/- band_width volume-weighted standard deviations of the minutes' own average prices, all
--   from the open up to that minute. NULL until the first share is traded.
-- Empty: the symbol has no minute of regular trading in that session
-- Plot: lines of=close_usd,vwap_usd,upper_band_usd,lower_band_usd over=minute_utc
WITH params AS (
    SELECT
        (SELECT MAX(newest.session) FROM daily_summary AS newest) AS session,  -- the session
        (
            SELECT MAX_BY(one.symbol, one.volume_shares * one.close_usd)
            FROM daily_summary AS one
            WHERE one.session = (SELECT MAX(newest.session) FROM daily_summary AS newest)
        ) AS symbol,  -- the symbol; without a value that of the largest turnover
        2.0 AS band_width  -- standard deviations from the average to a band
),

minutes AS (
    SELECT
        minute_bars.minute_utc,
        minute_bars.close_usd,
        minute_bars.volume_shares,
        minute_bars.turnover_usd,
        params.band_width,
        IF(
            minute_bars.volume_shares > 0,
            minute_bars.turnover_usd * minute_bars.turnover_usd / minute_bars.volume_shares,
            0
        ) AS squares
    FROM minute_bars
    CROSS JOIN params
    WHERE
        minute_bars.session = params.session
        AND minute_bars.symbol = params.symbol
        AND minute_bars.phase = 'regular'
),

running AS (
    SELECT
        minute_utc,
        close_usd,
        volume_shares,
        band_width,
        NULLIF(
            SUM(volume_shares) OVER (ORDER BY minute_utc ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW), 0
        ) AS shares_so_far,
        SUM(turnover_usd) OVER (ORDER BY minute_utc ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS usd_so_far,
        SUM(squares) OVER (ORDER BY minute_utc ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS squares_so_far
    FROM minutes
),

averages AS (
    SELECT
        minute_utc,
        close_usd,
        volume_shares,
        band_width,
        usd_so_far / shares_so_far AS vwap_usd,
        squares_so_far / shares_so_far - POWER(usd_so_far / shares_so_far, 2) AS variance
    FROM running
)

SELECT
    minute_utc,
    close_usd,
    volume_shares,
    vwap_usd,
    vwap_usd + band_width * SQRT(IF(variance > 0, variance, 0)) AS upper_band_usd,
    vwap_usd - band_width * SQRT(IF(variance > 0, variance, 0)) AS lower_band_usd
FROM averages
ORDER BY minute_utc
