"""The command line: composes, reads the environment, and catches."""
