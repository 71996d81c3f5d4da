"""The version of wanbatch."""

__version__ = "0.1.0"
