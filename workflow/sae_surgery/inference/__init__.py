"""Codes of observations under a given dictionary; all functions are stacked over seeds."""
