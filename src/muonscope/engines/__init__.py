"""Who does the work: this machine, and later a cluster, with the same answer."""
