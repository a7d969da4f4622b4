"""The order workflow and the shell that keeps its guarantees. Nothing here knows a cloud."""
