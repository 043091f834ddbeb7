"""The backends: `base` is the contract, each folder beside it an implementation."""
