"""A deterministic simulator of the whole workflow: the unmodified shared package on simulated brokers, stores, clocks
and external systems, with faults at every step. `simulate` runs one seed; ``python -m simulation`` many."""

from simulation.simulator import Result, simulate

__all__ = ["Result", "simulate"]
