"""What running the workflow costs: the calls of one order, counted (`counting`), prices with their sources
(`prices.json`), and the bill that follows from both (`model`)."""
