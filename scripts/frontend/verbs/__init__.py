"""What spanbench can do: a module for each verb."""
