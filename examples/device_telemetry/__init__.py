"""Device telemetry: batches of readings are checked, enriched, and loaded as Parquet to be queried."""
