"""Processor time per event. Each program does the same work: ten OrderPlaced CloudEvents of 1.2 kB are decoded,
validated into models, de-duplicated by event id, stock is taken from a dict, and one CloudEvent a record is made for a
publisher that does nothing. On AWS they are one Lambda event of ten SQS records, on Azure one batch of Service Bus
messages, on Google Cloud ten Pub/Sub pushes through functions-framework's WSGI application."""
