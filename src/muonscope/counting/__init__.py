"""Counting: exact windows of detector time and mergeable summaries."""
