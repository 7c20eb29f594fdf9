"""The six stages, a room each, what they leave behind, and the run that takes them one after another."""
