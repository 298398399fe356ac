"""
# history_backfill: daily bars of past years into the lake

**What.** Fetches daily bars of some symbols over a range of dates from Yahoo into `daily_history`, and keeps the view
`daily_bars`, which puts them beside our own `daily_summary`. Only sessions that are missing are asked for, a symbol and
year at a time.

**When, and why then.** By hand, when a question reaches back further than the feed does, or when a symbol is new.

**Input.** Yahoo's chart service, one request for a symbol and year. Yahoo's data are for personal use; requests go one
after the other.

**Output.** Rows of the Iceberg table `daily_history`, one for each session and symbol: official open, high, low, close
in US dollars, volume in shares, divided by splits known today. Rows that cannot be (high below low, no session that
day) are refused and named in the log. An event of the asset `daily_history` says what was filled.

**Start by hand.** *Trigger* with symbols and dates; without dates it is the year up to the newest session that has
ended. With *dry run* only the first task says what is missing.

**Rerun safety.** Any number of times: a chunk is put into the table by one MERGE, what is there is not asked for again,
and a run that was stopped continues where it was. To fetch rows again, delete them from `daily_history` first.

**When it fails.**
- `plan`: no session of the range is over yet, or a symbol is no ticker; the message says which.
- `fill`: Yahoo limits our rate or cannot be reached. It is tried again after ten minutes and longer; what came is kept.
  A symbol that Yahoo does not know fails nothing: the log says so.
"""

import os
from datetime import timedelta

from airflow.sdk import Param, dag, task

from tapeline.airflow import tasks
from tapeline.airflow.defaults import DAG_DEFAULT_ARGS, DAILY_HISTORY, START_DATE, date_param, headline, switch_param
from tapeline.market.quotes import SYMBOL_PATTERN


@dag(
    description=headline(__doc__),
    schedule=None,
    start_date=START_DATE,
    catchup=False,
    max_active_runs=1,  # two at once would ask for the same and conflict in the table
    # A limited rate is lifted after minutes, not seconds.
    default_args={**DAG_DEFAULT_ARGS, "retries": 4, "retry_delay": timedelta(minutes=10)},
    params={
        "symbols": Param(
            ["AAPL", "MSFT", "NVDA"],
            type="array",
            items={"type": "string", "pattern": f"^{SYMBOL_PATTERN}$"},
            minItems=1,
            title="Symbols",
            description="Tickers as Yahoo spells them, one to a line.",
        ),
        "first": date_param("First date", "Included; in New York. Empty for a year before the last date."),
        "last": date_param("Last date", "Included; only sessions that are over. Empty for the newest of those."),
        "dry_run": switch_param(False, "Dry run", "Only say what is missing."),
    },
    tags=["history", "by hand"],
    doc_md=__doc__,
)
def history_backfill():
    """Plan, fill chunk by chunk, show."""

    @task
    def plan(params=None):
        return tasks.plan_history(params["symbols"], params["first"], params["last"], dry_run=params["dry_run"])

    @task(max_active_tis_per_dag=1, map_index_template="{{ task.op_kwargs['chunk']['symbol'] }}")
    def fill(chunk):
        from producer.sources.yahoo.chart import yahoo_session
        from producer.sources.yahoo.history import YahooHistory

        source = YahooHistory(yahoo_session(os.environ.get("TAPELINE_YAHOO_URL", "")))
        return tasks.fill_history(chunk, source.fetch)

    @task(outlets=[DAILY_HISTORY])
    def show(filled, outlet_events=None):
        tasks.create_tables()
        outlet_events[DAILY_HISTORY].extra["filled"] = list(filled)

    show(fill.expand(chunk=plan()))


history_backfill()
