"""The plots: one function each, from a paper to a Bokeh figure."""
