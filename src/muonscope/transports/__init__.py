"""Bytes in and out: sources and sinks behind one small protocol each."""
