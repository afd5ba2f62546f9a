"""The version of the project, the one place where it stands: the Makefile reads it here."""

VERSION = "0.1.0"
