"""Results: the versioned message of each window, its JSON Schema, and the live store."""
