"""The fourteen rules of the protocol, one schedule each, played by hand."""
