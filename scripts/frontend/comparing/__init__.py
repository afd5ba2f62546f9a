"""Two result files side by side."""
