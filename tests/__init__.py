"""Tenfold's tests, grouped in folders by the room they test."""
