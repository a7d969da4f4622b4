"""The `orderflow` command. It is not deployed."""
