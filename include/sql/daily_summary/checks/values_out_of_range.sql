-- Every staged summary is possible: high above low, open, close and average price between, nothing below zero.
-- Grain: one row per impossible summary.
-- Source: daily_summary_staging.
-- Cost: curated, one session: kilobytes.
-- Severity: fail
-- Scope: symbol
-- Note: a symbol without a quote in regular trading has NULL prices, rightly, and one whose previous close nobody could
--   tell has no change. The average price may pass high and low by the rounding of a sum, one part in a million here.
WITH params AS (
    SELECT DATE '2026-03-12' AS session  -- the session to check
),

staged AS (
    SELECT daily_summary_staging.*
    FROM daily_summary_staging
    INNER JOIN params ON daily_summary_staging.session = params.session
)

SELECT
    symbol,
    open_usd,
    high_usd,
    low_usd,
    close_usd,
    vwap_usd,
    previous_close_usd,
    volume_shares,
    completeness_pct
FROM staged
WHERE
    NOT COALESCE(
        symbol <> ''
        AND COALESCE(previous_close_usd > 0, TRUE)
        AND volume_shares >= 0
        AND quotes > 0
        AND anomalies >= 0
        AND minutes_with_quotes BETWEEN 0 AND expected_minutes
        AND completeness_pct BETWEEN 0 AND 100
        AND (
            regular_quotes = 0
            OR (
                low_usd >= 0
                AND open_usd BETWEEN low_usd AND high_usd
                AND close_usd BETWEEN low_usd AND high_usd
                AND COALESCE(vwap_usd, low_usd)
                BETWEEN low_usd * 0.999999 AND high_usd * 1.000001
            )
        ), FALSE
    )
ORDER BY symbol
