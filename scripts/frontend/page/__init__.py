"""Result files as a page."""
