"""Support desk: tickets and calls are enriched with the customer's tier, and go to a team by priority."""
