"""One run of processing: its plan, its inputs and outputs, its life."""
