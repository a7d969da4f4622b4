"""What orderflow costs, beside peers that do the same work in the same run. `make bench` runs it; docs/performance.md
has results and how to read them."""
