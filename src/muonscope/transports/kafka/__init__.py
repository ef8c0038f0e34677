"""Kafka: topics as sources of words and as sinks of results, exactly once."""
