"""Batches of words in order: one seam for files, topics, simulations and memory."""
