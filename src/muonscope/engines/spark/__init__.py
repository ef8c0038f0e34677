"""The Spark engine: a cluster reads and decodes; one ordered stream of words comes back."""
