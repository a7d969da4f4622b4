"""azure-functions and the SDKs alone: imported, their clients made, nothing called."""

from __future__ import annotations

import os

import azure.functions
from azure.core.credentials import AzureKeyCredential
from azure.data.tables import TableServiceClient
from azure.eventgrid import EventGridPublisherClient

from benchmarks.cold.done import done

assert azure.functions
TableServiceClient.from_connection_string(os.environ["ORDERFLOW_STORAGE"])
key = AzureKeyCredential(os.environ["ORDERFLOW_EVENTGRID_KEY"])
EventGridPublisherClient(os.environ["ORDERFLOW_EVENTGRID_ENDPOINT"], key)
done()
