"""orderflow on Azure: Azure Tables, Event Grid, Service Bus and Blob Storage behind the ports, and what Azure Functions
calls. ``README.md`` explains host.json, which can hold no comments."""
