"""Training: what a run reports and draws."""
