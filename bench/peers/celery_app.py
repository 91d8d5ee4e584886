"""What Celery's worker imports."""

import os

from celery import Celery

app = Celery("bench", broker=os.environ["PAWL_PEER_URL"])
app.conf.update(task_ignore_result=True, worker_prefetch_multiplier=1000, broker_connection_retry_on_startup=True)


@app.task(name="noop")
def noop():
    return None
