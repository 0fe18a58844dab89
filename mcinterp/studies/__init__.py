"""One folder a paper: its tasks, models, measurements, pictures and claims, declared once in its `STUDY`."""
