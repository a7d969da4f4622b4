"""The source file of the bare function."""

from __future__ import annotations

import base64
import json
import os

import flask
import functions_framework
from google.api_core.exceptions import AlreadyExists
from google.cloud import firestore
from google.cloud.pubsub_v1 import PublisherClient  # type: ignore[import-untyped]  # it has no types

from benchmarks.cold.models import OrderPlacedEvent, screened

database = firestore.Client()
publisher = PublisherClient()
topic = f"projects/{os.environ['GOOGLE_CLOUD_PROJECT']}/topics/events"


@functions_framework.http
def screen(request: flask.Request) -> tuple[str, int]:
    """One pushed message."""
    message = json.loads(request.get_data())["message"]
    event = OrderPlacedEvent.model_validate_json(base64.b64decode(message["data"]))
    try:
        database.collection("screenings").document(event.id).create({"subject": event.subject})
    except AlreadyExists:
        return "", 204
    publisher.publish(topic, screened(event)).result()
    return "", 204
