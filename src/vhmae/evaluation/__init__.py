"""Evaluation: methods, the runner that scores them, and tables."""
