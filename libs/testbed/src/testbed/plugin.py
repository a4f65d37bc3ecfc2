"""The fixtures pytest offers once this package is installed."""
