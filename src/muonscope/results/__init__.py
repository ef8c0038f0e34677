"""What leaves: the versioned message of each window and its JSON Schema."""
