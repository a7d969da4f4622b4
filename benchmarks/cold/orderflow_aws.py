"""orderflow by its own Lambda entrypoint: the function of the service ``fraud``."""

from __future__ import annotations

import json
import os

from benchmarks.cold.done import done
from orderflow_aws.entrypoints import consume


class Context:
    """As much of Lambda's context object as is looked at."""

    def get_remaining_time_in_millis(self) -> int:
        return 30_000


answer = consume(json.loads(os.environ["BENCH_EVENT"]), Context())
assert answer == {"batchItemFailures": []}, answer
done()
