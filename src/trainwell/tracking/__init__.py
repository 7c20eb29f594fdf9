"""A finished run in the trackers that a team has already: MLflow, TensorBoard."""
