"""The benchmarks measure what they say: the same work on both sides, ratios the right way round, records that can be read."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from benchmarks import gpu, growth, measuring, ours, parts, peers, speed
from benchmarks.measuring import Measured, Process, Ratio, Way
from benchmarks.work import EXTRAS, FIRST_MOMENTS, LEARNING_RATES, Work, table

TINY = Work((16,), inputs=8, batch=32, steps=40, epochs=6)
REGRESSION = Work((32, 32), inputs=8, outputs=1, batch=32, steps=200, epochs=10)
PRODUCT = "benchmarks.matrix_product:numpy"
SAME = 0.1  # chosen: losses of networks with other first weights and another order of rows scatter by a few percent


def measured(seconds, work=TINY, function=speed.OURS, **figures):
    way = Way("a way", function, work, (Process((0,), 1),))
    return Measured(way, 9.0, list(seconds), [{"loss": 0.5, "peak_bytes": 1e9, **figures}])


@pytest.mark.parametrize("work", [TINY, REGRESSION, replace(TINY, networks=3)], ids=["classes", "values", "several"])
@pytest.mark.parametrize("peer", [peers.loop, peers.stacked])
def test_pytorch_learns_as_much_as_ours_in_the_same_steps(work, peer):
    theirs, own = peer(work.to_json())()["loss"], ours.train(work.to_json())()["loss"]
    untrained = 1.0 if work.outputs == 1 else math.log(2)
    assert own < 0.8 * untrained
    assert theirs == pytest.approx(own, rel=SAME)


def test_scikit_learn_learns_as_much_as_ours_in_the_same_steps():
    work = replace(TINY, epochs=15)  # its first weights are others
    with pytest.warns(Warning, match="Maximum iterations"):
        theirs = peers.scikit_learn(work.to_json())()["loss"]
    assert theirs == pytest.approx(ours.train(work.to_json())()["loss"], rel=SAME)


@pytest.mark.filterwarnings("ignore")  # of Lightning, about the number of its workers
def test_lightning_learns_as_much_as_ours_in_the_same_steps():
    pytest.importorskip("lightning", reason="Lightning comes with the extra 'bench'", exc_type=ImportError)
    assert peers.lightning(TINY.to_json())()["loss"] == pytest.approx(ours.fit(TINY.to_json())()["loss"], rel=SAME)


def test_the_stacked_adam_moves_each_network_as_pytorch_moves_it_alone():
    import torch

    settings = [(1e-3, 0.8), (3e-2, 0.95)]
    start, gradients = torch.randn(2, 3, 4), torch.randn(5, 2, 3, 4)
    stack = {"weight": start.clone()}
    adam = peers.StackedAdam(stack, settings)
    for gradient in gradients:
        adam.step(stack, {"weight": gradient})
    for member, (rate, beta1) in enumerate(settings):
        alone = torch.nn.Parameter(start[member].clone())
        optimizer = torch.optim.Adam([alone], lr=rate, betas=(beta1, 0.999))
        for gradient in gradients:
            alone.grad = gradient[member].clone()
            optimizer.step()
        np.testing.assert_allclose(stack["weight"][member], alone.detach(), rtol=1e-4, atol=1e-6)


def test_what_is_regularized_is_another_program_and_still_learns():
    on = replace(TINY, extras=EXTRAS)
    structure = ours.structure_of(on)
    assert (structure.dropout, structure.batch_norm, structure.noises) == ("inverted", "before", ("input", "activation"))
    assert ours.structure_of(TINY).dropout == "none"
    assert ours.train(on.to_json())()["loss"] < math.log(2)


def test_processes_that_share_networks_out_train_each_of_them_once():
    whole = Work((8,), networks=6)
    parts = [replace(whole, networks=3, first=first, of=6).settings() for first in (0, 3)]
    assert parts[0] + parts[1] == whole.settings()
    assert (whole.settings()[0], whole.settings()[-1]) == (
        pytest.approx((LEARNING_RATES[0], FIRST_MOMENTS[0])),
        pytest.approx((LEARNING_RATES[1], FIRST_MOMENTS[1])),
    )


def test_the_arithmetic_of_a_step_is_three_products_a_layer_but_two_for_the_first():
    assert Work((5,), inputs=3, outputs=2, batch=10).flops_per_step() == 2 * 10 * (2 * 15 + 3 * 10)


def test_the_table_is_as_large_as_the_steps_need_and_its_classes_are_even():
    numeric, target, validation, _ = table(TINY)
    assert (numeric.shape, validation.shape, numeric.dtype) == ((1280, 8), (64, 8), np.float32)
    assert 0.45 < target.mean() < 0.55


def test_processes_answer_by_turns_with_seconds_memory_and_losses():
    work = replace(TINY, networks=2, epochs=2)
    found = measuring.by_turns([measuring.alone("ours", speed.OURS, work), _two_on_one_core("product", PRODUCT, work)], 2)
    assert [len(one.seconds) for one in found] == [2, 2]
    assert all(second > 0 for one in found for second in one.seconds)
    assert found[0].loss == pytest.approx(ours.train(work.to_json())()["loss"])
    assert measuring.rate_of(found[1]) > 1e8
    record = json.loads(json.dumps(found[0].to_json()))
    assert set(record) >= {"label", "work", "first_seconds", "seconds", "median_seconds", "microseconds_per_network_step"}
    assert Work.from_json(record["work"]) == work
    assert record["figures"]["peak_bytes"] > 50e6


def _two_on_one_core(label, function, work):
    return Way(label, function, work, (Process(measuring.cores()[:1], 1),) * 2)


def test_a_process_that_fails_ends_the_measurement_with_a_sentence(capfd):
    with pytest.raises(SystemExit, match="ended before it answered"):
        measuring.by_turns([measuring.alone("none", "benchmarks.work:nothing", TINY)], 1)
    assert "nothing" in capfd.readouterr().err


def test_networks_that_cannot_be_shared_out_are_refused():
    with pytest.raises(ValueError, match="3 networks cannot be shared out evenly over 2 processes"):
        measuring.by_turns([_two_on_one_core("product", PRODUCT, replace(TINY, networks=3))], 1)


def test_a_ratio_is_the_median_of_the_rounds_and_counts_network_steps():
    many = replace(TINY, networks=10)
    found = measuring.ratio(measured([2, 4, 9]), measured([1, 1, 1]))
    assert found == Ratio(4, 2, 9)
    assert measuring.ratio(measured([5, 5], many), measured([1, 1])).median == pytest.approx(0.5)


HELD = [(2.3, False, "yes"), (2.1, False, "no"), (2.1, True, "yes"), (2.3, True, "no")]


@pytest.mark.parametrize(("reached", "at_most", "held"), HELD)
def test_a_row_says_whether_it_holds(reached, at_most, held):
    row = speed.Row("work", "peer", 2.2, at_most, Ratio(reached, 1, 3), measured([reached]), measured([1.0]))
    assert row.held == held
    assert row.wanted == ("<= 2.2" if at_most else ">= 2.2")
    assert json.loads(json.dumps(row.to_json()))["reached"] == {"median": reached, "low": 1, "high": 3}


def test_the_share_is_of_the_fastest_matrix_product_of_all_rounds_and_processes():
    flops = TINY.flops_per_step() * TINY.network_steps
    slow, fast = (
        measured([1.0], function="benchmarks.matrix_product:jax", flops_per_second=rate) for rate in (1.0, 4.0 * flops)
    )
    fast.figures.insert(0, {"flops_per_second": 2.0 * flops})  # a disturbed round
    row = speed.share_of_product("work", 0.55, measured([0.5, 1.0, 0.25]), [slow, fast])
    assert row.reached == pytest.approx((0.5, 0.25, 1.0))
    assert row.held == "no"


def test_every_line_of_a_table_has_a_cell_for_every_heading():
    row = speed.Row("work", "peer", None, False, Ratio(2, 1, 3), measured([2.0], function=speed.LOOP), measured([1.0]))
    point = growth.Point(1, measured([1.0], growth.AXES["rows"].points[0][1]), 1e9)
    line = gpu.Line("small", measured([1.0]), measured([1.0]), measured([2.0]), 1e12)
    assert [len(cells) for cells in speed.lines("small", [row])] == [len(speed.HEADER)]
    assert [len(cells) for cells in growth.lines("rows", [point])] == [len(growth.HEADER)]
    assert [len(cells) for cells in gpu.lines([line])] == [len(gpu.HEADER)]
    assert {len(cells) for cells in parts.lines([measured([1.0]), measured([1.2])])} == {len(parts.HEADER)}
    assert json.loads(json.dumps([point.to_json(), line.to_json()]))


def test_every_goal_of_speed_is_measured_by_a_command_of_its_own():
    names = {"one_network", "with_settings", "small", "wide", "one_fit", "regularized", "signals", "members"}
    assert set(speed.MEASUREMENTS) == names
    assert speed.SMALL.shape == "32-32-32-2"
    assert speed.WIDE.shape == "20-256-256-256-1"
    assert speed.FIRST.shape == "32-128-128-2"


@pytest.mark.parametrize("part", [speed, growth, gpu])
def test_an_unknown_name_is_refused_with_those_that_there_are(part, capsys):
    with pytest.raises(SystemExit):
        part.main(["nonsense"])
    assert "'nonsense' is no" in (said := capsys.readouterr().err)
    assert "there are" in said


def test_without_a_gpu_the_table_says_so_and_is_no_failure(monkeypatch, capsys):
    monkeypatch.setenv("PATH", "")
    gpu.main([])
    assert capsys.readouterr().out == "Not measured: there is no NVIDIA GPU here.\n"
