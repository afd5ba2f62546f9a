"""What the verb advise is made of: what fits the time, what follows from the figures, its lines."""
