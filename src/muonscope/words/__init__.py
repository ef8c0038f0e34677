"""The words of the DAQ: 64-bit layouts, and codecs between bytes and words."""
