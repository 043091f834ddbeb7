"""Models: their files, their graphs and their execution."""
