-- The sessions of which a symbol has bars, for the market desk's calendar.
-- Grain: one row per session, the newest first.
-- Source: daily_summary.
-- Cost: curated, kilobytes a session; every month is read.
WITH params AS (
    SELECT
        'AAPL' AS symbol,  -- the symbol; empty for the sessions of any
        520 AS most  -- sessions to list: two years
),

found AS (
    SELECT DISTINCT
        daily_summary.session,
        params.most
    FROM daily_summary
    INNER JOIN params ON params.symbol IN (daily_summary.symbol, '')
),

ranked AS (
    SELECT
        session,
        most,
        ROW_NUMBER() OVER (ORDER BY session DESC) AS recency
    FROM found
)

SELECT session
FROM ranked
WHERE recency <= most
ORDER BY session DESC
