"""Every technique of the course is in the catalogue, where it says, with all that must be said of it."""

import doctest
import importlib
import inspect
import pkgutil
from pathlib import Path

import pytest

import trainwell
from trainwell import techniques
from trainwell.errors import InputError
from trainwell.hyperparameter import Hyperparameter
from trainwell.techniques import activations, gradients, initializers, landscapes, losses, optimizers, schedules
from trainwell.techniques.catalogue import CATALOGUE, describe, find, markdown

COURSE = """
gradient descent; stochastic gradient descent; mini-batch gradient descent; momentum; classical momentum; Nesterov momentum;
RMSprop; Adam; Adam, epsilon inside the root; Adam without bias correction; AdamW; clip by global norm; clip by value;
gradient noise; constant schedule; step schedule; exponential decay; 1/t decay; linear warm-up; cosine schedule;
flat-then-cosine; one-cycle; coslog4; reduce on plateau; quadratic furrow; saddle; Beale; Rosenbrock; Rastrigin; zero weights;
constant weights; normal weights; uniform weights; Xavier normal; Xavier uniform; He normal; He uniform; LeCun normal;
orthogonal weights; LSUV; data-dependent initialization; dropout-adjusted initialization; centered weight normalization;
weight normalization; default initializer by activation; output bias from the prior; output bias from the target mean;
identity; sigmoid; tanh; ReLU; leaky ReLU; ELU; SELU; GELU; SiLU; swish; Mish; cross-entropy; binary cross-entropy; focal loss;
squared error; absolute error; Huber loss; quantile loss; pinball loss; class weights; dropout; dropout, the course's form;
L2 penalty; decoupled weight decay; L1 penalty; early stopping; noise; label smoothing; mixup; max-norm; batch normalization;
weight averaging; batch normalization at test time; moving average of batch statistics; exact population statistics; batch size;
quantile scaling; periodic embedding; piecewise-linear encoding; category embedding;
Hessian-vector product; Lanczos; extreme eigenvalues; spectral density; condition number; landscape verdict; saddle point;
plateau; long furrow; local minimum
"""
NAMES = [" ".join(name.split()) for name in COURSE.split(";")]
MODULES = [importlib.import_module(found.name) for found in pkgutil.walk_packages(techniques.__path__, "trainwell.techniques.")]
ROOT = Path(trainwell.__file__).parents[2]


def functions_of(module):
    for name, value in vars(module).items():
        if inspect.isfunction(value) and value.__module__ == module.__name__ and not name.startswith("_"):
            yield value


@pytest.mark.parametrize("name", NAMES)
def test_every_technique_of_the_course_is_found_by_its_name(name):
    first = find(name)[0]
    plain = name.lower().replace("-", " ").replace("_", " ").replace(",", "")
    named = [known.lower().replace("-", " ").replace("_", " ").replace(",", "") for known in (first.name, *first.also)]
    assert plain in named


@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.name)
def test_an_entry_points_to_its_function_and_says_all_that_must_be_said(entry):
    module, _, name = entry.path.rpartition(".")
    assert getattr(importlib.import_module(module), name) is entry.function
    file = Path(trainwell.__file__).parent.parent / entry.file
    assert f"def {name}(" in file.read_text()
    assert entry.location.startswith(str(file))
    for said in (entry.summary, entry.equation, entry.source, entry.use):
        assert said
    assert ">>>" in entry.function.__doc__
    assert entry.equation.splitlines()[0] in describe(entry)


def test_no_two_entries_have_the_same_name():
    names = [entry.name for entry in CATALOGUE]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.name)
def test_declared_hyperparameters_are_arguments_of_the_function(entry):
    declared = [hyperparameter.name for hyperparameter in entry.hyperparameters]
    arguments = inspect.signature(entry.function).parameters
    takes_share = entry.name == "mixup"  # which takes the share drawn with the declared strength
    assert takes_share or set(declared) <= set(arguments)
    assert len(set(declared)) == len(declared)
    assert all(hyperparameter.meaning and hyperparameter.source for hyperparameter in entry.hyperparameters)


def test_every_member_of_every_family_has_an_entry():
    tables = [optimizers.OPTIMIZERS, schedules.SCHEDULES, initializers.INITIALIZERS, activations.ACTIVATIONS]
    tables += [losses.LOSSES, landscapes.LANDSCAPES]
    known = {entry.function for entry in CATALOGUE}
    members = [value for table in tables for value in table.values()]
    assert {member[2] if isinstance(member, optimizers.Optimizer) else member[1] for member in members} <= known
    assert {gradients.add_noise, optimizers.ADAMW.update} <= known
    assert all(name == member.name for table in tables for name, member in table.items())


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_every_public_function_has_an_example_and_every_declaration_an_owner(module):
    finder = doctest.DocTestFinder()
    for function in functions_of(module):
        examples = [test for test in finder.find(function) if test.examples]
        assert examples, function
    assert all(
        isinstance(value, Hyperparameter)
        for name, values in vars(module).items()
        if name.endswith("HYPERPARAMETERS")
        for value in values
    )


def test_a_word_finds_all_that_bear_it_the_exact_name_first():
    assert [entry.name for entry in find("he")] == ["He normal", "He uniform"]
    assert find("dropout")[0].name == "dropout"
    assert len(find("dropout")) == 3
    assert {entry.name for entry in find("Batch_Norm")} >= {"batch normalization", "exact population statistics"}
    assert find("kaiming")[0].name == "He normal"


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("nestrov", "There is no technique 'nestrov', did you mean 'nesterov'?"),
        ("zzz", "There is no technique 'zzz'; `trainwell where` lists them."),
        ("", "There is no technique ''; `trainwell where` lists them."),
    ],
)
def test_a_name_that_is_none_gets_the_nearest(query, sentence):
    with pytest.raises(InputError) as refusal:
        find(query)
    assert str(refusal.value) == sentence


def test_the_page_in_the_docs_is_up_to_date():
    page = ROOT / "docs" / "techniques.md"
    assert page.read_text() == markdown(), "run `python -m trainwell.techniques.catalogue > docs/techniques.md`"
    assert all(f"**{entry.name}**" in markdown() for entry in CATALOGUE)


def test_techniques_import_nothing_above_them_and_not_each_other():
    own = {"trainwell.techniques", "trainwell.techniques.constants"}
    allowed = {"trainwell.errors", "trainwell.hyperparameter", "trainwell.random_bits", "trainwell"} | own
    for module in MODULES:
        if hasattr(module, "__path__") or module.__name__.rpartition(".")[2] in {"catalogue", "entry"}:
            continue
        lines = [line.split() for line in inspect.getsource(module).splitlines() if "trainwell" in line]
        imported = {words[1] for words in lines if words[:1] in (["from"], ["import"])}
        assert imported <= allowed, module.__name__
