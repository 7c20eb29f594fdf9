"""From an ensemble's predictions to what a person gets: true probabilities, a decision, an interval. Arrays in, numbers out.

Everything here is fitted on rows that the networks were not trained on, and stored with the model.
"""
