"""functions-framework and the SDKs alone: imported, their clients made, nothing called."""

from __future__ import annotations

import functions_framework
from google.cloud import firestore
from google.cloud.pubsub_v1 import PublisherClient  # type: ignore[import-untyped]  # it has no types

from benchmarks.cold.done import done

assert functions_framework
firestore.Client()
PublisherClient()
done()
