"""The regression gate, and what its verdicts are worth."""
