-- The sessions of the New York Stock Exchange (XNYS), 2008 to 2030: when each opens and closes.
-- Grain: one row per session.
-- Source: none; the dates are written here. tests/sql/test_trading_sessions.py compares them with exchange_calendars.
-- Cost: nothing, no data is read.
-- Note: when the exchange announces a closure, add it to its year, run this file again and roll the day up again.
CREATE OR REPLACE VIEW trading_sessions AS
WITH

holidays (year, days) AS (
    VALUES
    ('2008', '01-01 01-21 02-18 03-21 05-26 07-04 09-01 11-27 12-25'),
    ('2009', '01-01 01-19 02-16 04-10 05-25 07-03 09-07 11-26 12-25'),
    ('2010', '01-01 01-18 02-15 04-02 05-31 07-05 09-06 11-25 12-24'),
    ('2011', '01-17 02-21 04-22 05-30 07-04 09-05 11-24 12-26'),
    ('2012', '01-02 01-16 02-20 04-06 05-28 07-04 09-03 10-29 10-30 11-22 12-25'),
    ('2013', '01-01 01-21 02-18 03-29 05-27 07-04 09-02 11-28 12-25'),
    ('2014', '01-01 01-20 02-17 04-18 05-26 07-04 09-01 11-27 12-25'),
    ('2015', '01-01 01-19 02-16 04-03 05-25 07-03 09-07 11-26 12-25'),
    ('2016', '01-01 01-18 02-15 03-25 05-30 07-04 09-05 11-24 12-26'),
    ('2017', '01-02 01-16 02-20 04-14 05-29 07-04 09-04 11-23 12-25'),
    ('2018', '01-01 01-15 02-19 03-30 05-28 07-04 09-03 11-22 12-05 12-25'),
    ('2019', '01-01 01-21 02-18 04-19 05-27 07-04 09-02 11-28 12-25'),
    ('2020', '01-01 01-20 02-17 04-10 05-25 07-03 09-07 11-26 12-25'),
    ('2021', '01-01 01-18 02-15 04-02 05-31 07-05 09-06 11-25 12-24'),
    ('2022', '01-17 02-21 04-15 05-30 06-20 07-04 09-05 11-24 12-26'),
    ('2023', '01-02 01-16 02-20 04-07 05-29 06-19 07-04 09-04 11-23 12-25'),
    ('2024', '01-01 01-15 02-19 03-29 05-27 06-19 07-04 09-02 11-28 12-25'),
    ('2025', '01-01 01-09 01-20 02-17 04-18 05-26 06-19 07-04 09-01 11-27 12-25'),
    ('2026', '01-01 01-19 02-16 04-03 05-25 06-19 07-03 09-07 11-26 12-25'),
    ('2027', '01-01 01-18 02-15 03-26 05-31 06-18 07-05 09-06 11-25 12-24'),
    ('2028', '01-17 02-21 04-14 05-29 06-19 07-04 09-04 11-23 12-25'),
    ('2029', '01-01 01-15 02-19 03-30 05-28 06-19 07-04 09-03 11-22 12-25'),
    ('2030', '01-01 01-21 02-18 04-19 05-27 06-19 07-04 09-02 11-28 12-25')
),

-- Sessions that close at 13:00 in New York instead of 16:00.
half_days (year, days) AS (
    VALUES
    ('2008', '07-03 11-28 12-24'),
    ('2009', '11-27 12-24'),
    ('2010', '11-26'),
    ('2011', '11-25'),
    ('2012', '07-03 11-23 12-24'),
    ('2013', '07-03 11-29 12-24'),
    ('2014', '07-03 11-28 12-24'),
    ('2015', '11-27 12-24'),
    ('2016', '11-25'),
    ('2017', '07-03 11-24'),
    ('2018', '07-03 11-23 12-24'),
    ('2019', '07-03 11-29 12-24'),
    ('2020', '11-27 12-24'),
    ('2021', '11-26'),
    ('2022', '11-25'),
    ('2023', '07-03 11-24'),
    ('2024', '07-03 11-29 12-24'),
    ('2025', '07-03 11-28 12-24'),
    ('2026', '11-27 12-24'),
    ('2027', '11-26'),
    ('2028', '07-03 11-24'),
    ('2029', '07-03 11-23 12-24'),
    ('2030', '07-03 11-29 12-24')
),

holiday_dates AS (
    SELECT CAST(holidays.year || '-' || listed.month_day AS date) AS calendar_date
    FROM holidays
    CROSS JOIN UNNEST(SPLIT(holidays.days, ' ')) AS listed (month_day)
),

half_day_dates AS (
    SELECT CAST(half_days.year || '-' || listed.month_day AS date) AS calendar_date
    FROM half_days
    CROSS JOIN UNNEST(SPLIT(half_days.days, ' ')) AS listed (month_day)
),

days AS (
    SELECT CAST(series.each_day AS date) AS calendar_date
    FROM UNNEST(SEQUENCE(DATE '2008-01-01', DATE '2030-12-31', INTERVAL '1' DAY)) AS series (each_day)
),

sessions AS (
    SELECT
        days.calendar_date AS session,
        half_day_dates.calendar_date IS NOT NULL AS is_half_day
    FROM days
    LEFT JOIN holiday_dates ON days.calendar_date = holiday_dates.calendar_date
    LEFT JOIN half_day_dates ON days.calendar_date = half_day_dates.calendar_date
    WHERE
        DAY_OF_WEEK(days.calendar_date) <= 5
        AND holiday_dates.calendar_date IS NULL
)

SELECT
    session,
    is_half_day,
    CAST(
        WITH_TIMEZONE(DATE_ADD('minute', 570, CAST(session AS timestamp)), 'America/New_York')
        AT TIME ZONE 'UTC' AS timestamp
    ) AS open_utc,
    CAST(
        WITH_TIMEZONE(DATE_ADD('hour', IF(is_half_day, 13, 16), CAST(session AS timestamp)), 'America/New_York')
        AT TIME ZONE 'UTC' AS timestamp
    ) AS close_utc,
    IF(is_half_day, 210, 390) AS expected_minutes,
    LAG(session) OVER (ORDER BY session) AS previous_session,
    LEAD(session) OVER (ORDER BY session) AS next_session
FROM sessions
