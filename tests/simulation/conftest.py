"""Runs that several tests look at."""

import pytest

from helpers.collected import Run, simulated_run


@pytest.fixture(scope="session")
def legnaro_run() -> Run:
    """Half an hour at Legnaro."""
    return simulated_run("legnaro", 1800.0, seed=3)


@pytest.fixture(scope="session")
def bologna_run() -> Run:
    """Ten minutes at Bologna."""
    return simulated_run("bologna", 600.0, seed=3)


@pytest.fixture(scope="session")
def quiet_run() -> Run:
    """Two minutes of the quiet telescope."""
    return simulated_run("quiet", 120.0, seed=3)
