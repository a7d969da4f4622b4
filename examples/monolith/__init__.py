"""A small shop in one process and one database, and how it hands its messages to customers over to orderflow, step by
step. docs/strangler-fig.md tells the story; ``python -m examples.monolith --help`` runs it."""
