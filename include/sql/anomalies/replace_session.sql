-- Publish what is staged of one session: replace the session in anomalies in one step.
-- Grain: one row per session, symbol and event; an event is one unbroken run of quotes for which the rule holds.
-- Source: anomalies_staging.
-- Cost: curated, one session of both tables: kilobytes.
-- Rerun: any number of times. A reader sees the session as it was or as it is, never half of it; when nothing is staged
--   for the session, the session is emptied, so run the checks first. The rows of a withheld symbol stay as they are.
-- Generated: by `make sql` from anomalies/table.yaml; change it there.
MERGE INTO anomalies AS published
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
        published_before.started_at_utc,
        published_before.ended_at_utc,
        published_before.duration_seconds,
        published_before.lasted_to_the_end,
        published_before.rule_name,
        published_before.direction,
        published_before.phase,
        published_before.quotes,
        published_before.previous_close_usd,
        published_before.start_price_usd,
        published_before.start_change_pct,
        published_before.peak_at_utc,
        published_before.peak_price_usd,
        published_before.peak_change_pct
    FROM anomalies AS published_before
    CROSS JOIN params
    WHERE
        published_before.session = params.session
        AND NOT CONTAINS(SPLIT(params.withheld, ' '), published_before.symbol)
    UNION ALL
    SELECT
        'staged' AS origin,
        staged.session,
        staged.symbol,
        staged.started_at_utc,
        staged.ended_at_utc,
        staged.duration_seconds,
        staged.lasted_to_the_end,
        staged.rule_name,
        staged.direction,
        staged.phase,
        staged.quotes,
        staged.previous_close_usd,
        staged.start_price_usd,
        staged.start_change_pct,
        staged.peak_at_utc,
        staged.peak_price_usd,
        staged.peak_change_pct
    FROM anomalies_staging AS staged
    CROSS JOIN params
    WHERE
        staged.session = params.session
        AND NOT CONTAINS(SPLIT(params.withheld, ' '), staged.symbol)
) AS incoming
    ON
        incoming.origin = 'published'
        AND published.session = incoming.session
        AND published.symbol = incoming.symbol
        AND published.started_at_utc = incoming.started_at_utc
WHEN MATCHED THEN DELETE
WHEN NOT MATCHED THEN INSERT (
    session, symbol, started_at_utc, ended_at_utc, duration_seconds, lasted_to_the_end, rule_name, direction, phase,
    quotes, previous_close_usd, start_price_usd, start_change_pct, peak_at_utc, peak_price_usd, peak_change_pct
) VALUES (
    incoming.session, incoming.symbol, incoming.started_at_utc, incoming.ended_at_utc, incoming.duration_seconds,
    incoming.lasted_to_the_end, incoming.rule_name, incoming.direction, incoming.phase, incoming.quotes,
    incoming.previous_close_usd, incoming.start_price_usd, incoming.start_change_pct, incoming.peak_at_utc,
    incoming.peak_price_usd, incoming.peak_change_pct
)
