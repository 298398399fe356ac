-- A symbol's session in figures, for the market desk: those of regular trading.
-- Grain: one row, none if the session was not rolled up for the symbol.
-- Source: daily_summary.
-- Cost: curated, kilobytes a session; a month is read.
WITH params AS (
    SELECT
        DATE '2026-03-12' AS session,  -- the session
        'AAPL' AS symbol  -- the symbol
)

SELECT
    daily_summary.open_usd,
    daily_summary.high_usd,
    daily_summary.low_usd,
    daily_summary.close_usd,
    daily_summary.previous_close_usd,
    daily_summary.change_usd,
    daily_summary.change_pct,
    daily_summary.vwap_usd,
    daily_summary.volume_shares,
    daily_summary.quotes,
    daily_summary.completeness_pct
FROM daily_summary
INNER JOIN params
    ON
        daily_summary.session = params.session
        AND daily_summary.symbol = params.symbol
