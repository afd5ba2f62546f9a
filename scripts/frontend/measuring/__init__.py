"""Running what is measured, and counting."""
