"""Devices: what computes, stores and fetches, each with a small interface that hides the platform."""
