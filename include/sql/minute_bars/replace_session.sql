-- Publish what is staged of one session: replace the session in minute_bars in one step.
-- Grain: one row per symbol and minute with at least one quote.
-- Source: minute_bars_staging.
-- Cost: curated, one session of both tables: megabytes.
-- Rerun: any number of times. A reader sees the session as it was or as it is, never half of it; when nothing is staged
--   for the session, the session is emptied, so run the checks first. The rows of a withheld symbol stay as they are.
-- Generated: by `make sql` from minute_bars/table.yaml; change it there.
MERGE INTO minute_bars AS published
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
        published_before.minute_utc,
        published_before.phase,
        published_before.open_usd,
        published_before.high_usd,
        published_before.low_usd,
        published_before.close_usd,
        published_before.volume_shares,
        published_before.turnover_usd,
        published_before.previous_close_usd,
        published_before.quotes,
        published_before.late_quotes,
        published_before.repeated_quotes,
        published_before.first_quote_utc,
        published_before.last_quote_utc
    FROM minute_bars AS published_before
    CROSS JOIN params
    WHERE
        published_before.session = params.session
        AND NOT CONTAINS(SPLIT(params.withheld, ' '), published_before.symbol)
    UNION ALL
    SELECT
        'staged' AS origin,
        staged.session,
        staged.symbol,
        staged.minute_utc,
        staged.phase,
        staged.open_usd,
        staged.high_usd,
        staged.low_usd,
        staged.close_usd,
        staged.volume_shares,
        staged.turnover_usd,
        staged.previous_close_usd,
        staged.quotes,
        staged.late_quotes,
        staged.repeated_quotes,
        staged.first_quote_utc,
        staged.last_quote_utc
    FROM minute_bars_staging AS staged
    CROSS JOIN params
    WHERE
        staged.session = params.session
        AND NOT CONTAINS(SPLIT(params.withheld, ' '), staged.symbol)
) AS incoming
    ON
        incoming.origin = 'published'
        AND published.session = incoming.session
        AND published.symbol = incoming.symbol
        AND published.minute_utc = incoming.minute_utc
WHEN MATCHED THEN DELETE
WHEN NOT MATCHED THEN INSERT (
    session, symbol, minute_utc, phase, open_usd, high_usd, low_usd, close_usd, volume_shares, turnover_usd,
    previous_close_usd, quotes, late_quotes, repeated_quotes, first_quote_utc, last_quote_utc
) VALUES (
    incoming.session, incoming.symbol, incoming.minute_utc, incoming.phase, incoming.open_usd, incoming.high_usd,
    incoming.low_usd, incoming.close_usd, incoming.volume_shares, incoming.turnover_usd,
    incoming.previous_close_usd, incoming.quotes, incoming.late_quotes, incoming.repeated_quotes,
    incoming.first_quote_utc, incoming.last_quote_utc
)
