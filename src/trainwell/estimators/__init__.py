"""Estimators for scikit-learn: the recipe as `NeuralClassifier` and `NeuralRegressor`."""

from trainwell.estimators.classifier import NeuralClassifier
from trainwell.estimators.regressor import NeuralRegressor

__all__ = ["NeuralClassifier", "NeuralRegressor"]
