"""The conclusions of the paper, each decided from stored results."""
