"""A telescope made of numbers: muons, cell response, DAQ, faults; words plus the truth."""
