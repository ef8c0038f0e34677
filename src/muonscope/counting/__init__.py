"""What is counted: exact windows of detector time and mergeable summaries."""
