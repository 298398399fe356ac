"""
# redrive_rejected: put on the stream again what is a quote now

**What.** Reads records under `rejected/` and the batches that the dead-letter queue points to, judges them by the
processor's own code over what is stored now, and puts those that it would take on the stream; the others stay, and the
log says why. The processor stores them as it stores any: late, so they move no indicator and raise no alert. A batch of
the table's stream goes to the trend alerts once more, which send what they have not sent.

**When, and why then.** By hand, after the cause is fixed: a parser that refused what a vendor had changed, a function
that failed. Nothing is redriven by itself, for what was refused for a good reason would only come back.

**Input.** `rejected/dt=…/` of a range of dates of arrival, and the messages of the dead-letter queue with the batches
under `aws/lambda/`, which the bucket keeps as long as rejects.

**Output.** Quotes on the stream. Records that went are kept under `rejected/redriven/` and taken out of
`rejected/dt=…/`; messages that are done are deleted from the queue. The log and the task's return value count them by
reason. Afterwards run `daily_rollup` again for the sessions they belong to.

**Start by hand.** *Trigger* with the dates, or without for today. It is a dry run, which counts and shows examples,
unless *dry run* is switched off. `tapeline redrive` does the same from a terminal.

**Rerun safety.** Any number of times, and killed at any point: a quote that was sent twice is stored once, and nothing
is taken away before the stream has it.

**When it fails.** `redrive` says how many quotes the stream did not take; nothing of them was taken out of `rejected/`
or the queue. Clear it when the stream has room. A message it cannot read stays in the queue and is named.
"""

from airflow.sdk import dag, task

from tapeline.airflow import tasks
from tapeline.airflow.defaults import DAG_DEFAULT_ARGS, START_DATE, date_param, headline, switch_param


@dag(
    description=headline(__doc__),
    schedule=None,
    start_date=START_DATE,
    catchup=False,
    max_active_runs=1,  # two at once would send the same records
    default_args=DAG_DEFAULT_ARGS,
    params={
        "first": date_param(
            "First date of arrival",
            "In New York, as in the names of the folders under rejected/. Empty for the last date.",
        ),
        "last": date_param("Last date of arrival", "Included. Empty for today."),
        "dead_letters": switch_param(True, "Dead letters too", "Also read the batches that were given up."),
        "dry_run": switch_param(True, "Dry run", "Only count what would be sent, and show examples."),
    },
    tags=["feed", "by hand"],
    doc_md=__doc__,
)
def redrive_rejected():
    """Read, judge, send."""

    @task
    def redrive(params=None):
        return tasks.redrive_rejected(
            params["first"], params["last"], dead_letters=params["dead_letters"], dry_run=params["dry_run"]
        )

    redrive()


redrive_rejected()
