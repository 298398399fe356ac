-- The largest rises and falls of one session, close against previous close.
-- Grain: one row per symbol, the best first; each symbol once, also when there are few.
-- Source: daily_summary.
-- Cost: curated, kilobytes.
-- Empty: no symbol has a change of its previous close in that session
-- Plot: bars of=change_pct by=symbol
WITH params AS (
    SELECT
        (SELECT MAX(newest.session) FROM daily_summary AS newest) AS session,  -- the session
        5 AS movers  -- how many to show at either end
),

ranked AS (
    SELECT
        daily_summary.symbol,
        daily_summary.change_pct,
        daily_summary.close_usd,
        daily_summary.previous_close_usd,
        daily_summary.volume_shares,
        daily_summary.completeness_pct,
        params.movers,
        ROW_NUMBER() OVER (ORDER BY daily_summary.change_pct DESC, daily_summary.symbol) AS rank_from_top,
        ROW_NUMBER() OVER (ORDER BY daily_summary.change_pct, daily_summary.symbol DESC) AS rank_from_bottom
    FROM daily_summary
    CROSS JOIN params
    WHERE
        daily_summary.session = params.session
        AND daily_summary.change_pct IS NOT NULL
)

SELECT
    symbol,
    change_pct,
    close_usd - previous_close_usd AS change_usd,
    close_usd,
    previous_close_usd,
    volume_shares,
    completeness_pct
FROM ranked
WHERE
    rank_from_top <= movers
    OR rank_from_bottom <= movers
ORDER BY rank_from_top
