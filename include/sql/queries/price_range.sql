-- Where each symbol's last close stands between its lowest and highest price of a range of sessions, a year's if there.
-- Grain: one row per symbol.
-- Source: daily_bars.
-- Cost: curated, kilobytes a session.
-- Note: place_pct is 0 at the lowest price and 100 at the highest; change_pct is the last close against the open of the
--   range's first session. Sessions before the feed began are those that history_backfill fetched: sessions_of_history.
--   The feed's prices are as quoted, history's are adjusted for splits since, so a split within the range spoils a row.
-- Empty: no symbol has a bar in {found}
-- Plot: bars of=place_pct by=symbol
WITH params AS (
    SELECT
        (
            SELECT MIN(earlier.session) FROM (
                SELECT DISTINCT past.session FROM daily_bars AS past
                WHERE past.session <= (SELECT MAX(newest.session) FROM daily_bars AS newest)
                ORDER BY past.session DESC LIMIT 252
            ) AS earlier
        ) AS first_session,  -- first session of the range
        (SELECT MAX(newest.session) FROM daily_bars AS newest) AS last_session  -- last session of the range
),

bars AS (
    SELECT
        daily_bars.symbol,
        daily_bars.session,
        daily_bars.open_usd,
        daily_bars.high_usd,
        daily_bars.low_usd,
        daily_bars.close_usd,
        daily_bars.origin,
        MIN(daily_bars.low_usd) OVER (PARTITION BY daily_bars.symbol) AS lowest_usd,
        MAX(daily_bars.high_usd) OVER (PARTITION BY daily_bars.symbol) AS highest_usd
    FROM daily_bars
    CROSS JOIN params
    WHERE daily_bars.session BETWEEN params.first_session AND params.last_session
),

ranges AS (
    SELECT
        symbol,
        MAX(session) AS last_session,
        MAX_BY(close_usd, session) AS close_usd,
        MIN_BY(open_usd, session) AS first_open_usd,
        MIN(low_usd) AS low_usd,
        MIN(IF(low_usd = lowest_usd, session)) AS low_session,
        MAX(high_usd) AS high_usd,
        MIN(IF(high_usd = highest_usd, session)) AS high_session,
        COUNT(*) AS sessions,
        COUNT_IF(origin = 'daily_history') AS sessions_of_history
    FROM bars
    GROUP BY symbol
)

SELECT
    symbol,
    100 * (close_usd - low_usd) / NULLIF(high_usd - low_usd, 0) AS place_pct,
    100 * (close_usd / NULLIF(first_open_usd, 0) - 1) AS change_pct,
    close_usd,
    low_usd,
    low_session,
    high_usd,
    high_session,
    last_session,
    sessions,
    sessions_of_history
FROM ranges
ORDER BY place_pct DESC NULLS LAST, symbol
