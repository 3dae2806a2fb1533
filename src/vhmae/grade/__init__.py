"""Grades for other people's suites: what harmonizing does to a shot, as LUTs, DCTL, CDL and time
lines."""
