-- Create daily_bars: daily_summary where it has a session of a symbol, daily_history before and between.
-- Grain: one row per session and symbol.
-- Source: daily_summary, daily_history.
-- Cost: curated, kilobytes a session.
-- Note: the change is against the close of the row before, and NULL for a symbol's first; `origin` says which table a
--   row is from.
CREATE OR REPLACE VIEW daily_bars AS
WITH

joined AS (
    SELECT
        daily_summary.session,
        daily_summary.symbol,
        daily_summary.open_usd,
        daily_summary.high_usd,
        daily_summary.low_usd,
        daily_summary.close_usd,
        daily_summary.volume_shares,
        'daily_summary' AS origin
    FROM daily_summary
    WHERE daily_summary.close_usd IS NOT NULL
    UNION ALL
    SELECT
        daily_history.session,
        daily_history.symbol,
        daily_history.open_usd,
        daily_history.high_usd,
        daily_history.low_usd,
        daily_history.close_usd,
        daily_history.volume_shares,
        'daily_history' AS origin
    FROM daily_history
    LEFT JOIN daily_summary AS summary
        ON
            daily_history.session = summary.session
            AND daily_history.symbol = summary.symbol
            AND summary.close_usd IS NOT NULL
    WHERE summary.symbol IS NULL
),

closes AS (
    SELECT
        *,
        LAG(close_usd) OVER (PARTITION BY symbol ORDER BY session) AS previous_close_usd
    FROM joined
)

SELECT
    session,
    symbol,
    open_usd,
    high_usd,
    low_usd,
    close_usd,
    volume_shares,
    previous_close_usd,
    ROUND(100 * (close_usd - previous_close_usd) / NULLIF(previous_close_usd, 0), 2) AS change_pct,
    origin
FROM closes
