"""Words to a topic, a folder or a file, at a pace."""
