"""Alarms: who is told of verdicts, how, when, and until when not."""
