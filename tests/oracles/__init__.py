"""Slow, plain answers to compare the fast ones with; they share no code with them."""
