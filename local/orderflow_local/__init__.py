"""The three clouds on one machine: emulators, stand-ins and function hosts. Nothing under `functions/` imports it."""
