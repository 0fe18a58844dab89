"""How the study's results are shown."""
