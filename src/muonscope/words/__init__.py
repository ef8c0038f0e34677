"""What the DAQ writes: 64-bit words, their layouts, and codecs between bytes and words."""
