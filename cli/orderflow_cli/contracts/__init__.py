"""Contracts: the events as JSON Schema and AsyncAPI, generated from the code, and what a change of them breaks."""
