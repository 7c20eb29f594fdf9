"""scikit-learn's own checks of an estimator, all of them, at the least effort."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from trainwell import NeuralClassifier, NeuralRegressor

ESTIMATORS = [NeuralClassifier(effort="minimal", cores=1), NeuralRegressor(effort="minimal", cores=1)]


@parametrize_with_checks(ESTIMATORS)
def test_scikit_learns_check(estimator, check):
    check(estimator)
