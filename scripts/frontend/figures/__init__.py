"""What was measured: result files, statistics, tables."""
