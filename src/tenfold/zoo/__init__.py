"""The model zoo: pixels in, answers out. Each module is one task model with its own preparation and decoding."""
