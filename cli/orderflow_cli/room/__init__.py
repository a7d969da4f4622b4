"""The control room: a web page over the clouds that `orderflow up` runs.

It shows and calls what `orderflow_cli.ops` does, and keeps nothing of its own: all that is on the page is read from the
clouds' documents, queues and logs, while somebody looks."""
