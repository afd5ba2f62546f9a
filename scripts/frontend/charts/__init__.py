"""Result files as charts."""
