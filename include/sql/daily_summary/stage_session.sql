-- Sum up one session per symbol and put it into daily_summary_staging in place of what was staged before.
-- Grain: one row per session and symbol with at least one quote.
-- Source: minute_bars_staging, anomalies_staging (stage both first), trading_sessions.
-- Cost: curated, one session: megabytes.
-- Rerun: any number of times; the staged rows depend on the other two staged tables alone.
MERGE INTO daily_summary_staging AS staged
USING (
    WITH params AS (
        SELECT DATE '2026-03-12' AS session  -- the session to sum up
    ),

    bars AS (
        SELECT minute_bars.*
        FROM minute_bars_staging AS minute_bars
        CROSS JOIN params
        WHERE minute_bars.session = params.session
    ),

    -- Open, close, high, low and volume are those of regular trading; what came before and after stays apart.
    regular AS (
        SELECT
            symbol,
            MIN_BY(open_usd, minute_utc) AS open_usd,
            MAX(high_usd) AS high_usd,
            MIN(low_usd) AS low_usd,
            MAX_BY(close_usd, minute_utc) AS close_usd,
            SUM(volume_shares) AS volume_shares,
            SUM(turnover_usd) AS turnover_usd,
            NULLIF(MAX_BY(COALESCE(previous_close_usd, 0), minute_utc), 0) AS previous_close_usd,
            SUM(quotes) AS quotes,
            COUNT(*) AS minutes
        FROM bars
        WHERE phase = 'regular'
        GROUP BY symbol
    ),

    whole_day AS (
        SELECT
            session,
            symbol,
            NULLIF(MAX_BY(COALESCE(previous_close_usd, 0), minute_utc), 0) AS previous_close_usd,
            MAX(IF(phase = 'pre', high_usd)) AS pre_high_usd,
            MIN(IF(phase = 'pre', low_usd)) AS pre_low_usd,
            MAX(IF(phase = 'post', high_usd)) AS post_high_usd,
            MIN(IF(phase = 'post', low_usd)) AS post_low_usd,
            SUM(quotes) AS quotes,
            SUM(late_quotes) AS late_quotes,
            SUM(repeated_quotes) AS repeated_quotes,
            MIN(first_quote_utc) AS first_quote_utc,
            MAX(last_quote_utc) AS last_quote_utc
        FROM bars
        GROUP BY session, symbol
    ),

    anomaly_counts AS (
        SELECT
            anomalies.symbol,
            COUNT(*) AS anomalies
        FROM anomalies_staging AS anomalies
        CROSS JOIN params
        WHERE anomalies.session = params.session
        GROUP BY anomalies.symbol
    ),

    joined AS (
        SELECT
            whole_day.*,
            regular.open_usd,
            regular.high_usd,
            regular.low_usd,
            regular.close_usd,
            regular.turnover_usd,
            COALESCE(regular.volume_shares, 0) AS volume_shares,
            COALESCE(regular.previous_close_usd, whole_day.previous_close_usd) AS base_usd,
            COALESCE(regular.quotes, 0) AS regular_quotes,
            COALESCE(regular.minutes, 0) AS minutes_with_quotes,
            COALESCE(anomaly_counts.anomalies, 0) AS anomalies,
            trading_sessions.expected_minutes
        FROM whole_day
        INNER JOIN trading_sessions ON whole_day.session = trading_sessions.session
        LEFT JOIN regular ON whole_day.symbol = regular.symbol
        LEFT JOIN anomaly_counts ON whole_day.symbol = anomaly_counts.symbol
    ),

    computed AS (
        SELECT
            session,
            symbol,
            open_usd,
            high_usd,
            low_usd,
            close_usd,
            volume_shares,
            IF(volume_shares > 0, turnover_usd / volume_shares) AS vwap_usd,
            base_usd AS previous_close_usd,
            close_usd - base_usd AS change_usd,
            CAST(ROUND(TRY_CAST((close_usd - base_usd) * 100 / base_usd AS decimal(38, 8)), 2) AS double) AS change_pct,
            CAST(ROUND(TRY_CAST((open_usd - base_usd) * 100 / base_usd AS decimal(38, 8)), 2) AS double) AS gap_pct,
            pre_high_usd,
            pre_low_usd,
            post_high_usd,
            post_low_usd,
            anomalies,
            quotes,
            regular_quotes,
            late_quotes,
            repeated_quotes,
            first_quote_utc,
            last_quote_utc,
            minutes_with_quotes,
            expected_minutes,
            ROUND(CAST(minutes_with_quotes AS double) * 100 / expected_minutes, 2) AS completeness_pct
        FROM joined
    )

    -- The rest is generated from table.yaml by `make sql`.
    SELECT
        'earlier' AS origin,
        earlier.session,
        earlier.symbol,
        earlier.open_usd,
        earlier.high_usd,
        earlier.low_usd,
        earlier.close_usd,
        earlier.volume_shares,
        earlier.vwap_usd,
        earlier.previous_close_usd,
        earlier.change_usd,
        earlier.change_pct,
        earlier.gap_pct,
        earlier.pre_high_usd,
        earlier.pre_low_usd,
        earlier.post_high_usd,
        earlier.post_low_usd,
        earlier.anomalies,
        earlier.quotes,
        earlier.regular_quotes,
        earlier.late_quotes,
        earlier.repeated_quotes,
        earlier.first_quote_utc,
        earlier.last_quote_utc,
        earlier.minutes_with_quotes,
        earlier.expected_minutes,
        earlier.completeness_pct
    FROM daily_summary_staging AS earlier
    CROSS JOIN params
    WHERE earlier.session = params.session
    UNION ALL
    SELECT
        'computed' AS origin,
        computed.session,
        computed.symbol,
        computed.open_usd,
        computed.high_usd,
        computed.low_usd,
        computed.close_usd,
        computed.volume_shares,
        computed.vwap_usd,
        computed.previous_close_usd,
        computed.change_usd,
        computed.change_pct,
        computed.gap_pct,
        computed.pre_high_usd,
        computed.pre_low_usd,
        computed.post_high_usd,
        computed.post_low_usd,
        computed.anomalies,
        computed.quotes,
        computed.regular_quotes,
        computed.late_quotes,
        computed.repeated_quotes,
        computed.first_quote_utc,
        computed.last_quote_utc,
        computed.minutes_with_quotes,
        computed.expected_minutes,
        computed.completeness_pct
    FROM computed
) AS incoming
    ON
        incoming.origin = 'earlier'
        AND staged.session = incoming.session
        AND staged.symbol = incoming.symbol
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
