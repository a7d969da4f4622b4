"""HTTP on Google Cloud: Pub/Sub pushes over loopback to the ``functions-framework`` command as it runs when deployed,
in its default mode (gunicorn's threads around Flask) and in its fast mode (``--asgi``: gunicorn around uvicorn and
Starlette)."""
