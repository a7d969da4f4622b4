"""New services: what ``orderflow new service`` writes."""
