"""What an operator does, as functions that answer data: the same on every cloud, local or deployed. `doors` reaches a
cloud; the other modules work on what it answers. `orderflow_cli.commands` prints it, and so may a web page."""
