"""What Tenfold is measured against, in one run on one machine. Results are written to benchmarks/results."""
