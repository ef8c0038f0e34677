"""What to do about a verdict: one text for each check."""

__all__ = ["ADVICE"]

ADVICE = {
    "data": "Nothing comes: see whether the DAQ runs, and the source on the System page.",
    "fpga_silent": "The FPGA writes nothing: see its power, its link and its run state.",
    "fpga_pauses": "The FPGA writes with pauses: see the load of its link and of the DAQ's disk.",
    "telescope_rate": "All chambers have changed together: compare gas, high voltage, thresholds"
    " and pressure with those of the reference.",
    "chamber_rate": "One chamber differs from the others: see its high voltage, gas line and"
    " thresholds.",
    "cell_dead": "The cell gives no signal: see its wire, high voltage and front-end channel.",
    "cell_rate": "The cell's rate has changed: see its threshold; a hot one may be masked.",
    "cell_trains": "The cell fires in trains: see whether it sparks, or its threshold is too low.",
    "chamber_cells": "Cells of the chamber are dead: many in a row share a connector or a board.",
    "synchronous_noise": "Many channels fire at once: look for noise from outside, on ground or"
    " supply.",
    "drift_box": "Drift times have changed: shifted ones tell of cables, clocks or the"
    " scintillator, stretched ones of gas, pressure or high voltage.",
    "scintillator": "The rate of the scintillator has changed: see its high voltage, threshold and"
    " cable.",
    "scintillator_in_time": "The chamber has few hits where the scintillator has one: see whether"
    " its FPGA counts the same orbits as the scintillator's.",
    "chambers_together": "Chambers see few muons together: see whether their FPGAs count the same"
    " orbits (a reset that did not reach both).",
    "track_rate": "Fewer or more muons make tracks: see efficiencies, times of chambers and gas;"
    " more may be showers or noise.",
    "drift_velocity": "The gas has changed: see its mixture, flow and pressure, and the high"
    " voltage.",
    "chamber_time": "One chamber's times have moved: see its cables, clock and thresholds; if it"
    " is to stay so, muonscope calibrate.",
    "chamber_place": "The chamber lies elsewhere than it did: if it was moved, calibrate.",
    "track_residual": "Tracks fit badly: the constants of the detector file are not those of the"
    " telescope (muonscope calibrate), or a chamber is noisy.",
    "chamber_efficiency": "The chamber misses muons: see its high voltage, gas and thresholds.",
    "cell_efficiency": "The cell misses muons: see its threshold, wire and front-end channel.",
    "integrity": "Words are damaged, unknown, late or repeated: see the link of the DAQ, the"
    " detector's description and who else writes to the source.",
    "bytes": "Data could not be decoded: see the rejects, and muonscope inspect.",
}
"""By the name of the check."""
