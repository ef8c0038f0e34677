"""Where muons went: events, segments and tracks from the times of hits; pure."""
