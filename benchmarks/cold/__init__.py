"""Cold start: from the start of a fresh interpreter until the first event has been handled. Each program validates one
OrderPlaced CloudEvent, de-duplicates it in the cloud's document store by the cloud's SDK, decides, and publishes one
event by the SDK; the services are stand-ins in another process, over loopback, without TLS."""
