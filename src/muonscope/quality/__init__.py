"""Is it good: checks of counts against a reference, and the verdicts that follow. Pure."""
