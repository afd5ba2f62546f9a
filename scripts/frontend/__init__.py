"""The front end of spanbench: starts the programs in build/, keeps what they say, shows it."""
