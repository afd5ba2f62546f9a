"""What the verb record is made of: starting the command, following what it started, compiling."""
