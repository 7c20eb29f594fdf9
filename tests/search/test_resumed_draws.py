"""A search whose draws learn from the members before comes to the same bits when it is cut and resumed."""

from small_networks import bits, population, structure
from trainwell.population.budget import Budget
from trainwell.population.member import Training
from trainwell.search.sampler import draw
from trainwell.search.space import Space
from trainwell.search.waves import members_of, read_waves, search

SPACE = Space((structure(widths=(4,)), structure(widths=(6,))), ("adam.learning_rate", "dropout.rate"))


def searched(folder, budget=None, **more) -> list[Training]:
    def drawn(numbers, waves, beside) -> list[Training]:
        learned = [*members_of(waves), *beside]
        return [Training(member) for member in draw("tpe", SPACE, numbers, 1, 7, learned)]

    kept = read_waves(folder)
    return members_of(
        search(population(), drawn, lambda wave: 4, budget or Budget(), folder, first=1, trials=40, kept=kept, **more)
    )


def test_a_search_by_tpe_that_is_cut_after_any_rung_ends_with_the_same_bits(tmp_path):
    whole, rungs = searched(tmp_path / "whole"), []
    assert len(whole) == 40
    for cut_after in (1, 3, 5):
        folder, budget = tmp_path / str(cut_after), Budget()
        heard = []

        def count(waves, heard=heard, budget=budget, cut_after=cut_after) -> None:
            heard.append(len(waves))
            if len(heard) == cut_after:
                budget.interrupt()

        searched(folder, budget, on_rung=count)
        rungs.append(heard[-1])
        resumed = searched(folder)
        assert [training.member for training in resumed] == [training.member for training in whole]
        assert [bits(training) for training in resumed] == [bits(training) for training in whole]
    assert rungs == [1, 2, 3], "the cuts fell into different waves"
