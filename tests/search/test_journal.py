"""The study on disk: Optuna's own tools read what the members were and did, also when a kill cut the file off."""

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from small_networks import structure
from trainwell.search.halving import Wave
from trainwell.search.journal import NAME, STUDY, Journal
from trainwell.search.space import Space

SMALL, LARGE = structure(), structure(widths=(16,))
RATE = "adam.learning_rate"
SPACE = Space((SMALL, LARGE), (RATE, "dropout.rate"), values={"dropout.rate": (0.0, 0.25)})


def read(folder) -> optuna.Study:
    return optuna.load_study(study_name=STUDY, storage=JournalStorage(JournalFileBackend(str(folder / NAME))))


def journal(folder) -> Journal:
    return Journal(folder, lambda score: -2 * score, "minimize", metric="RMSE")


@pytest.fixture
def waves(scored):
    """One over, with a member of every fate, and one after its first rung."""
    members = [SPACE.central(number, (SMALL, LARGE)[number % 2]) for number in range(6)]
    over = Wave(
        (
            scored(members[0], -0.9, epochs=1),
            scored(members[1], -0.5, epochs=9, ended=True),
            scored(members[2], -0.7, epochs=3, ended=True, failed=True),
        ),
        (1, 3, 9),
        3,
    )
    return [over, Wave(tuple(scored(member, -0.6, epochs=1) for member in members[3:]), (1, 3, 9), 1)]


def test_there_is_one_trial_for_each_member_with_everything_that_is_known_of_it(waves, tmp_path):
    journal(tmp_path).update(waves, [SPACE, SPACE])
    study = read(tmp_path)
    pruned, complete, failed, *_ = study.trials
    assert study.user_attrs == {"metric": "RMSE"}
    assert [trial.state.name for trial in study.trials] == ["PRUNED", "COMPLETE", "FAIL", "PRUNED", "PRUNED", "PRUNED"]
    assert complete.params == SPACE.point(waves[0].trainings[1].member)
    assert complete.params["widths"] == "16"
    assert complete.distributions[RATE].log
    assert complete.distributions["dropout.rate"].choices == (0.0, 0.25)
    assert complete.value == pytest.approx(1.0), "as a person reads it"
    assert complete.intermediate_values == {1: pytest.approx(1 / 9), 3: pytest.approx(1 / 3), 9: pytest.approx(1.0)}
    assert complete.user_attrs == {
        "member": 1, "stage": "tune", "structure": LARGE.describe(), "wave": 1, "epochs": 9
    }  # fmt: skip
    assert (list(pruned.intermediate_values), failed.values) == ([1], None)
    assert study.best_trial.number == 1


def test_it_is_written_rung_by_rung_and_says_the_same_as_when_it_is_made_anew(waves, tmp_path):
    (tmp_path / "growing").mkdir()
    (tmp_path / "anew").mkdir()
    growing = journal(tmp_path / "growing")
    sizes = []
    for so_far in (waves[:1], waves, waves):
        growing.update(so_far, [SPACE] * len(so_far))
        sizes.append((tmp_path / "growing" / NAME).stat().st_size)
    assert sizes[0] < sizes[1] == sizes[2]
    journal(tmp_path / "anew").update(waves, [SPACE, SPACE])

    def said(folder):
        return [(t.state, t.params, t.values, t.intermediate_values, t.user_attrs) for t in read(folder).trials]

    assert said(tmp_path / "growing") == said(tmp_path / "anew")


def test_a_journal_cut_off_in_its_last_line_is_readable_and_made_anew_by_the_next_search(waves, tmp_path):
    journal(tmp_path).update(waves, [SPACE, SPACE])
    whole = (tmp_path / NAME).read_bytes()
    (tmp_path / NAME).write_bytes(whole[:-20])
    assert len(read(tmp_path).trials) == 6
    journal(tmp_path).update(waves, [SPACE, SPACE])
    assert [trial.state.name for trial in read(tmp_path).trials][-1] == "PRUNED"
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


def test_a_member_keeps_the_range_that_it_was_drawn_from(waves, tmp_path):
    wider = Space((SMALL, LARGE), (RATE, "dropout.rate"), ranges={RATE: (1e-5, 0.5)}, values=SPACE.values)
    journal(tmp_path).update(waves, [SPACE, wider])
    first, *_, last = read(tmp_path).trials
    assert first.distributions[RATE].high < last.distributions[RATE].high == 0.5
