"""Who does the work: this machine, or a cluster through Spark, with the same answer."""
