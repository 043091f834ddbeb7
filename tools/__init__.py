"""What the project's own housekeeping runs: provisioning, import rules, generated files. Never installed."""
