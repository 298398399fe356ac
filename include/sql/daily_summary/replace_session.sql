-- Publish the staged daily summary of one session: replace the session in daily_summary at one stroke.
-- Grain: one row per session and symbol with at least one quote.
-- Source: daily_summary_staging.
-- Cost: curated, one session of both tables: kilobytes.
-- Rerun: any number of times. A reader sees the session as it was or as it is, never half of it; when nothing is staged
--   for the session, the session is emptied, so run the checks first. The rows of a withheld symbol stay as they are.
MERGE INTO daily_summary AS published
USING (
    WITH

    params AS (
        SELECT
            DATE '2026-03-12' AS session,  -- the session to publish
            '' AS withheld  -- symbols that stay as they are, with blanks between: those that failed a check
    )

    SELECT
        'published' AS origin,
        published_before.*
    FROM daily_summary AS published_before
    CROSS JOIN params
    WHERE
        published_before.session = params.session
        AND NOT CONTAINS(SPLIT(params.withheld, ' '), published_before.symbol)
    UNION ALL
    SELECT
        'staged' AS origin,
        staged.*
    FROM daily_summary_staging AS staged
    CROSS JOIN params
    WHERE
        staged.session = params.session
        AND NOT CONTAINS(SPLIT(params.withheld, ' '), staged.symbol)
) AS incoming
    ON
        incoming.origin = 'published'
        AND published.session = incoming.session
        AND published.symbol = incoming.symbol
WHEN MATCHED THEN DELETE
WHEN NOT MATCHED THEN INSERT (
    session, symbol, open_usd, high_usd, low_usd, close_usd, volume_shares, vwap_usd, previous_close_usd,
    change_usd, change_pct, gap_pct, pre_high_usd, pre_low_usd, post_high_usd, post_low_usd, anomalies, quotes,
    regular_quotes, late_quotes, repeated_quotes, first_quote_utc, last_quote_utc, minutes_with_quotes,
    expected_minutes, completeness_pct
) VALUES (
    incoming.session, incoming.symbol, incoming.open_usd, incoming.high_usd, incoming.low_usd, incoming.close_usd,
    incoming.volume_shares, incoming.vwap_usd, incoming.previous_close_usd, incoming.change_usd,
    incoming.change_pct, incoming.gap_pct, incoming.pre_high_usd, incoming.pre_low_usd, incoming.post_high_usd,
    incoming.post_low_usd, incoming.anomalies, incoming.quotes, incoming.regular_quotes, incoming.late_quotes,
    incoming.repeated_quotes, incoming.first_quote_utc, incoming.last_quote_utc, incoming.minutes_with_quotes,
    incoming.expected_minutes, incoming.completeness_pct
)
