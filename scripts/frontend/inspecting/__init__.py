"""What a trace holds, for people: its page and plot, its score, and what two of them differ in."""
