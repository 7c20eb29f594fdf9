"""A search space of the user's own: read from TOML and dicts, whole in the config, and every mistake in one sentence."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainwell.errors import InputError
from trainwell.network.structure import Structure, resolve
from trainwell.population.budget import Budget
from trainwell.recipe.every_setting import every_setting
from trainwell.recipe.options import Options
from trainwell.recipe.prepare import prepare
from trainwell.recipe.run import fit
from trainwell.recipe.tune import spaces
from trainwell.recipe.tune.stage import space
from trainwell.search import grid

RATE = "adam.learning_rate"
DECLARED = every_setting()


def of(text: str, tmp_path, held=None):
    path = tmp_path / "space.toml"
    path.write_text(text)
    return spaces.read(path, held or {})


def test_what_an_entry_leaves_out_is_as_declared(tmp_path):
    entries = of(f'["{RATE}"]\nlow = 1e-4\n["dropout.rate"]\n[widths]\nvalues = ["128-64", "linear"]', tmp_path)
    declared = DECLARED[RATE], DECLARED["dropout.rate"]
    assert entries == {
        RATE: {"low": 1e-4, "high": declared[0].search_range[1], "scale": "log", "widen": True},
        "dropout.rate": dict(zip(("low", "high"), declared[1].search_range, strict=True)) | {"scale": "linear", "widen": True},
        "widths": {"values": ["128-64", "linear"]},
    }


def test_a_name_without_quotes_means_the_same(tmp_path):
    assert set(of("[dropout.rate]\nlow = 0.1\n[dropout]\nvalues = ['course']", tmp_path)) == {"dropout.rate", "dropout"}
    quoted = of('["adam.learning_rate"]\nlow = 0.001\n[activation]\nvalues = ["relu"]', tmp_path)
    assert of("[adam.learning_rate]\nlow = 0.001\n[activation]\nvalues = ['relu']", tmp_path) == quoted


@given(st.sampled_from(sorted(DECLARED)), st.floats(0, 1), st.floats(0, 1), st.booleans(), st.booleans())
def test_a_space_written_as_toml_comes_back_as_it_was(tmp_path_factory, name, one, other, widen, as_values):
    declared = DECLARED[name]
    low, high = sorted(declared.low + at * (declared.high - declared.low) for at in (one, other))
    if not low < high:
        return
    entry = {"values": [low, high]} if as_values else {"low": low, "high": high, "scale": "linear", "widen": widen}
    lines = [f"{key} = {json.dumps(value)}" for key, value in entry.items()]
    entries = of(f'["{name}"]\n' + "\n".join(lines), tmp_path_factory.mktemp("toml"))
    assert entries == {name: entry} == spaces.read({name: entry}, {})
    assert spaces.read(json.loads(json.dumps(entries)), {}) == entries, "so it can be kept in config.json"


MISTAKES = {
    "low = 1\nhigh 2": r"is no TOML: Expected '=' after a key in a key/value pair \(at line 2, column 6\)\.",
    "": 'it names nothing to search: give a setting such as ["adam.learning_rate"] with low and high.',
    '["adam.lerning_rate"]\nlow = 0.1': "'adam.lerning_rate' is no setting, did you mean 'adam.learning_rate'? the",
    "widths = ['8']": "widths is ['8'], allowed is a table with values = [...].",
    "[widths]": "widths is a choice and has nothing: allowed is values = [...].",
    "[activation]\nlow = 1": "activation is a choice and has 'low': allowed is values = [...].",
    "[activation]\nvalues = []": "activation has values [], allowed is a list of one or more, such as values = [...].",
    "[activation]\nvalues = 'relu'": "activation has values 'relu', allowed is a list of one or more",
    "[decay_schedule]\nvalues = [['cosine']]": "decay_schedule has the value ['cosine'], allowed are names and whole numbers.",
    "[activation]\nvalues = [0.5]": "activation has the value 0.5, allowed are names and whole numbers.",
    "[dropout.rate]\nlo = 0.1": "dropout.rate has the key 'lo', did you mean 'low'? allowed is low and high, or values =",
    "[dropout.rate]\nlow = 0.1\nvalues = [0.1]": "dropout.rate has 'low', 'values': allowed is a range or values, not both.",
    "[dropout.rate]\nlow = 0.3\nhigh = 0.1": "dropout.rate has low 0.3 and high 0.1, allowed is a low below the high.",
    "[dropout.rate]\nhigh = 1.5": "dropout.rate high is 1.5, allowed is 0 to 0.95.",
    "[dropout.rate]\nvalues = [0.1, 2]": "dropout.rate value is 2, allowed is 0 to 0.95.",
    "[dropout.rate]\nvalues = []": "dropout.rate has values [], allowed is a list of one or more",
    "[dropout.rate]\nlow = nan": "dropout.rate low is nan, allowed is 0 to 0.95.",
    f"[dropout.rate]\nlow = 1{'0' * 400}": f"dropout.rate low is 1{'0' * 400}, which is not a number from 0 to 0.95.",
    "[dropout.rate]\nlow = true": "dropout.rate low is True, which is not a number from 0 to 0.95.",
    "[dropout.rate]\nlow = 'a'": "dropout.rate low is 'a', which is not a number from 0 to 0.95.",
    "[dropout.rate]\nscale = 'lg'": "dropout.rate has the scale 'lg', did you mean 'log'? allowed is one of 'linear', 'log'.",
    "[dropout.rate]\nlow = 0\nscale = 'log'": "dropout.rate has low 0 on the scale 'log', allowed is a low above 0",
    "[dropout.rate]\nwiden = 1": "dropout.rate has widen 1, allowed is true or false.",
    "[adam.beta2]\nlow = 0.9": "adam.beta2 is searched and held fixed at '0.95' (--set): leave one of them out.",
}


@pytest.mark.parametrize("text", MISTAKES)
def test_every_mistake_is_one_sentence_with_the_file(text, tmp_path):
    with pytest.raises(InputError) as refused:
        of(text, tmp_path, held={"adam.beta2": "0.95"})
    said, expected = str(refused.value), MISTAKES[text]
    assert said.startswith(f"{tmp_path / 'space.toml'}")
    assert expected.replace("\\", "") in said


def test_a_file_that_cannot_be_read_and_what_is_no_space_are_said(tmp_path):
    with pytest.raises(InputError, match=r"nothing\.toml cannot be read: No such file or directory"):
        spaces.read(tmp_path / "nothing.toml", {})
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match=r"bytes.toml is no TOML: it is not UTF-8 text\."):
        spaces.read(str(tmp_path / "bytes.toml"), {})
    with pytest.raises(InputError, match=r"the space is 3, allowed is the path of a TOML file or a dict of dicts\."):
        spaces.read(3, {})


def test_what_belongs_to_some_networks_of_the_space_alone_can_be_held_fixed(table, tmp_path):
    own = spaces.read({"optimizer": {"values": ["adam", "rmsprop"]}}, {"rmsprop.beta": 0.8})
    context = prepare(
        table,
        Options.checked(target="left", out=tmp_path / "run", settings={"rmsprop.beta": 0.8}, space=own),
        Budget(),
        None,
        (),
    )[0]
    searched = space(context, "8", 1e-3, {})
    assert {one.optimizer for one in searched.structures} == {"adam", "rmsprop"}
    assert searched.centre["rmsprop.beta"] == 0.8
    with pytest.raises(InputError, match=r"^'nadam.beta' is no setting"):
        prepare(table, Options.checked(target="left", settings={"nadam.beta": 0.8}, space=own), Budget(), None, ())


def test_what_only_the_table_can_tell_is_refused_before_a_folder_is_made(table, tmp_path):
    for own, sentence in {
        "activation": ({"activation": {"values": ["relu", "silo"]}}, r"activation is 'silo', did you mean 'silu'\?"),
        "widths": ({"widths": {"values": ["128x"]}}, "widths is '128x', allowed is units of each layer such as 256-128"),
        "widest": ({"widths": {"values": ["8", "99999"]}}, r"widths is \(99999,\), allowed are up to 64 layers"),
        "unused": ({"rmsprop.beta": {}}, "rmsprop.beta is a setting of rmsprop, which no network of this space uses: leave it"),
        "programs": (
            {"widths": {"values": [str(n) for n in range(8, 19)]}, "activation": {"values": ["relu", "silu", "tanh"]}},
            r"the choices make 33 different networks, each of which is a program to compile: allowed are 32",
        ),
        "far more": (
            {"widths": {"values": [str(n) for n in range(8, 900)]}, "batch_size": {"values": [16, 17, 18, 19, 20]}},
            r"its choices make far more different networks than the 32 .* widths \(892 values\), batch_size \(5 values\)",
        ),
    }.values():
        with pytest.raises(InputError, match=f"^the space: {sentence}"):
            fit(table, "left", out=tmp_path / "run", trials=2, space=own)
    assert not (tmp_path / "run").exists()


def test_a_grid_too_large_for_anybody_is_refused_before_a_folder_is_made(table, tmp_path):
    names = [f"adam.{name}" for name in ("learning_rate", "beta1", "beta2", "epsilon")]
    names += ["dropout.rate", "weight_decay.rate", "early_stopping.patience", "periodic.frequency", "flat_cosine.flat"]
    own = {name: {} for name in names}
    with pytest.raises(InputError, match=r"^the space: a grid of this space needs 19,683 networks, allowed are 10,000"):
        fit(table, "left", out=tmp_path / "run", trials=2, search="grid", space=own)
    assert not (tmp_path / "run").exists()


def test_the_rate_that_was_found_is_that_of_the_optimizer_it_was_found_with(table, tmp_path):
    own = {"optimizer": {"values": ["momentum", "adam"]}, "widths": {"values": ["8"]}}
    options = Options.checked(target="left", out=tmp_path / "run", space=spaces.read(own, {}))
    context, _ = prepare(table, options, Budget(), None, (), "the space")
    searched = space(context, "128-128", 0.004, {})
    assert [one.optimizer for one in searched.structures] == ["momentum", "adam"]
    assert searched.centre["adam.learning_rate"] == 0.004
    assert searched.centre["momentum.learning_rate"] == resolve(searched.structures[0])["momentum.learning_rate"]


def test_combinations_that_do_not_go_together_are_left_out_and_the_others_searched(table, tmp_path):
    own = {name: {"values": values} for name, values in
           {"first_pass": ["none", "data_dependent"], "batch_norm": ["none", "before"], "widths": ["8"]}.items()}  # fmt: skip
    options = Options.checked(target="left", out=tmp_path / "run", space=spaces.read(own, {}))
    context, _ = prepare(table, options, Budget(), None, (), "the space")
    searched = space(context, "128-128", 1e-3, {})
    assert searched.choices == {"first_pass": ("none", "data_dependent"), "batch_norm": ("none", "before")}
    assert [one.widths for one in searched.structures] == [(8,)] * 3, "the fourth combination is impossible"
    assert {one.batch_norm_test for one in searched.structures if one.batch_norm == "before"} == {"population"}
    assert grid.size(searched) == 3
    assert searched.searched == ()
    assert searched.centre["adam.learning_rate"] == 1e-3


FINAL = "decay_schedule.final"


@pytest.mark.parametrize(
    ("schedules", "held", "low", "high", "scale"),
    [
        (["exponential"], {}, 1e-3, 0.3, "log"),
        (["cosine"], {}, 0.0, 0.1, "linear"),
        (["cosine", "exponential"], {}, 1e-3, 0.1, "linear"),
        (None, {"decay_schedule": "exponential"}, 1e-3, 0.3, "log"),
        (None, {"decay_schedule": "one_cycle"}, 0.0, 0.01, "linear"),
    ],
)
def test_a_number_of_a_schedule_is_searched_where_that_schedule_declares_it(schedules, held, low, high, scale):
    own = {FINAL: {}} | ({} if schedules is None else {"decay_schedule": {"values": schedules}})
    found = spaces.read(own, held)[FINAL]
    assert (found["low"], found["high"], found["scale"]) == (low, high, scale)


def test_a_number_that_another_schedule_allows_is_refused(table, tmp_path):
    own = {FINAL: {"values": [0.0, 0.1]}, "decay_schedule": {"values": ["exponential"]}}
    with pytest.raises(InputError, match=r"^the space: decay_schedule.final value is 0, allowed is 1e-06 to 1\.$"):
        fit(table, "left", out=tmp_path / "run", trials=2, search="grid", space=own)
    entries = {FINAL: {"values": [0.0]}}
    networks = tuple(resolved("exponential", "cosine"))
    with pytest.raises(InputError, match=r"^decay_schedule.final value is 0, allowed is 1e-06 to 1\.$"):
        spaces.space_of(entries, networks, {})
    spaces.space_of(entries, networks[1:], {})


def resolved(*schedules):
    return [Structure(1, 1, (), 1, "squared_error", decay_schedule=schedule) for schedule in schedules]


def test_batch_normalization_that_is_mostly_no_good_is_remarked_on_in_a_space_too(table, tmp_path):
    own = {"batch_norm": {"values": ["none", "after"]}, "widths": {"values": ["8", "8-8"]}}
    options = Options.checked(target="left", out=tmp_path / "run", space=spaces.read(own, {}))
    _, notes = prepare(table, options, Budget(), None, (), "the space")
    said = [note.message for note in notes if note.message.startswith("Of networks in the space: ")]
    assert [one.removeprefix("Of networks in the space: ")[:31] for one in said] == [
        "batch_norm is 'after' silu: 'be",
        "batch_norm helps deep networks ",
    ]
