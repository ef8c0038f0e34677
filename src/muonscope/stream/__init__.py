"""Messages of words in order: their numbers, their decoding, their merging."""
