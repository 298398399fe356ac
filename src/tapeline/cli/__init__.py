"""The command `tapeline`, a module for each group of commands."""
