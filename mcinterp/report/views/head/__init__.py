"""One attention head over the analysed checkpoints: a section each for what is stored of it."""
