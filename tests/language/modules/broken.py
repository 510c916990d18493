"""Holds no module class."""
