"""What stays of runs: their windows on disk, condensed; found, added up and read again."""
