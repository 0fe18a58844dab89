"""What is drawn of the study."""
