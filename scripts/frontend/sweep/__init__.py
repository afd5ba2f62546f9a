"""The tuning constants of the allocator, swept."""
