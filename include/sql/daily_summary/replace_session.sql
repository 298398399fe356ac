-- Publish what is staged of one session: replace the session in daily_summary in one step.
-- Grain: one row per session and symbol with at least one quote.
-- Source: daily_summary_staging.
-- Cost: curated, one session of both tables: kilobytes.
-- Rerun: any number of times. A reader sees the session as it was or as it is, never half of it; when nothing is staged
--   for the session, the session is emptied, so run the checks first. The rows of a withheld symbol stay as they are.
-- Generated: by `make sql` from daily_summary/table.yaml; change it there.
MERGE INTO daily_summary AS published
USING (
    WITH params AS (
        SELECT
            DATE '2026-03-12' AS session,  -- the session to publish
            '' AS withheld  -- symbols that stay as they are, with blanks between: those that failed a check
    )

    SELECT
        'published' AS origin,
        published_before.session,
        published_before.symbol,
        published_before.open_usd,
        published_before.high_usd,
        published_before.low_usd,
        published_before.close_usd,
        published_before.volume_shares,
        published_before.vwap_usd,
        published_before.previous_close_usd,
        published_before.change_usd,
        published_before.change_pct,
        published_before.gap_pct,
        published_before.pre_high_usd,
        published_before.pre_low_usd,
        published_before.post_high_usd,
        published_before.post_low_usd,
        published_before.anomalies,
        published_before.quotes,
        published_before.regular_quotes,
        published_before.late_quotes,
        published_before.repeated_quotes,
        published_before.first_quote_utc,
        published_before.last_quote_utc,
        published_before.minutes_with_quotes,
        published_before.expected_minutes,
        published_before.completeness_pct
    FROM daily_summary AS published_before
    CROSS JOIN params
    WHERE
        published_before.session = params.session
        AND NOT CONTAINS(SPLIT(params.withheld, ' '), published_before.symbol)
    UNION ALL
    SELECT
        'staged' AS origin,
        staged.session,
        staged.symbol,
        staged.open_usd,
        staged.high_usd,
        staged.low_usd,
        staged.close_usd,
        staged.volume_shares,
        staged.vwap_usd,
        staged.previous_close_usd,
        staged.change_usd,
        staged.change_pct,
        staged.gap_pct,
        staged.pre_high_usd,
        staged.pre_low_usd,
        staged.post_high_usd,
        staged.post_low_usd,
        staged.anomalies,
        staged.quotes,
        staged.regular_quotes,
        staged.late_quotes,
        staged.repeated_quotes,
        staged.first_quote_utc,
        staged.last_quote_utc,
        staged.minutes_with_quotes,
        staged.expected_minutes,
        staged.completeness_pct
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
