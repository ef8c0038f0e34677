"""The dashboard: a page that draws in the browser what the server broadcasts to all."""
