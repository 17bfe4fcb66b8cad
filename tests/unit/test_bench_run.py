"""Runs of the bench: rows, journal, intervals, refusals, documents."""

import json
from pathlib import Path
from typing import Any

import pytest

from streammem.bench import BenchEvent, BenchRequest, run_memory_bench
from streammem.bench.contestants import contestants
from streammem.bench.journal import NAME, Journal
from streammem.bench.statistics import estimate, paired_difference
from streammem.bench.trials import Case, Key, Row, Trial, row_from_json, trial_from_json
from streammem.core.errors import Interrupted, MissingError, UsageError

ONE = BenchRequest(
    protocols=("load",), policies=("streammem",), budgets_bytes=(64 * 1024,), seeds=2, quick=True
)


def _figures(document: dict[str, Any]) -> list[dict[str, float]]:
    return [
        {name: figure["mean"] for name, figure in entry["metrics"].items()}
        for protocol in document["results"]
        for case in protocol["cases"]
        for entry in case["policies"]
    ]


def _with(request: BenchRequest, **fields: Any) -> BenchRequest:
    from dataclasses import replace

    return replace(request, **fields)


def test_equal_requests_give_equal_figures_with_any_number_of_jobs() -> None:
    first = run_memory_bench(ONE)
    again = run_memory_bench(_with(ONE, jobs=2))

    assert _figures(first.document) == _figures(again.document)
    assert first.failures == ()
    assert first.document["seeds"] == [1000, 1001]
    assert {"processor", "cores", "versions", "code"} <= first.document["machine"].keys()
    assert "streammem" in first.text


def test_a_stopped_run_goes_on_and_gives_what_an_undisturbed_one_gives(tmp_path: Path) -> None:
    seen: list[BenchEvent] = []
    request = _with(ONE, out=tmp_path / "stopped")

    with pytest.raises(Interrupted):
        run_memory_bench(
            request,
            on_event=seen.append,
            should_stop=lambda: any(event.done >= 2 for event in seen),
        )
    kept = (tmp_path / "stopped" / NAME).read_text().splitlines()
    seen.clear()
    resumed = run_memory_bench(request, on_event=seen.append)
    whole = run_memory_bench(_with(ONE, out=tmp_path / "whole"))

    assert len(kept) >= 3
    assert seen[0].kind == "resumed"
    assert seen[0].done == len(kept) - 1
    assert _figures(resumed.document) == _figures(whole.document)


def test_a_line_that_a_kill_cut_off_is_dropped(tmp_path: Path) -> None:
    key = Key("case", "streammem", 1000)
    with Journal(tmp_path, fresh=False) as journal:
        journal.add(Row(key, {"needle_r1": 0.5}))
    path = tmp_path / NAME
    path.write_text(path.read_text() + '{"key": ["case", "stre')

    with Journal(tmp_path, fresh=False) as journal:
        assert journal.rows == {key: Row(key, {"needle_r1": 0.5})}


def test_figures_of_other_code_do_not_mix(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text(json.dumps({"journal": 1, "code": "0" * 16}) + "\n")

    with pytest.raises(UsageError, match="other code"):
        run_memory_bench(_with(ONE, out=tmp_path))
    with Journal(tmp_path, fresh=True) as journal:
        assert journal.rows == {}


def test_a_budget_that_a_policy_refuses_is_refused_and_not_zero() -> None:
    run = run_memory_bench(_with(ONE, budgets_bytes=(4096,), seeds=1))
    entries = [entry for case in run.document["results"][0]["cases"] for entry in case["policies"]]

    assert {entry["status"] for entry in entries} == {"refused"}
    assert all(entry["metrics"] == {} and "smallest" in entry["reason"] for entry in entries)
    assert "refused" in run.text


def test_results_tables_and_plots_are_written(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    run = run_memory_bench(_with(ONE, out=tmp_path, seeds=1))

    names = {path.name for path in run.files}
    assert names == {"results.json", "table.md", "load.svg", "load.png"}
    assert json.loads((tmp_path / "results.json").read_text()) == run.document
    assert "| streammem |" in (tmp_path / "table.md").read_text()
    assert (tmp_path / "load.png").read_bytes().startswith(b"\x89PNG")


def test_tuning_seeds_are_never_reported(tmp_path: Path) -> None:
    assert BenchRequest(tuning=True, seeds=3).seed_numbers() == (0, 1, 2)
    assert min(BenchRequest().seed_numbers()) >= 1000
    with pytest.raises(UsageError, match="tuning"):
        run_memory_bench(_with(ONE, tuning=True, out=tmp_path))
    with pytest.raises(UsageError, match="reserved"):
        BenchRequest(tuning=True, seeds=101).seed_numbers()


@pytest.mark.parametrize(
    "wrong",
    [{"protocols": ("none",)}, {"policies": ("none",)}, {"cells": "none"}, {"seeds": 0},
     {"budgets_bytes": (10,)}],
)  # fmt: skip
def test_what_cannot_be_measured_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        run_memory_bench(_with(ONE, **wrong))


def test_ours_comes_first_among_the_contestants() -> None:
    assert contestants()[0] == "streammem"
    assert contestants(("streammem",), "fp16") == ("streammem",)


def test_intervals_hold_the_mean_and_narrow_with_more_streams() -> None:
    few, many = estimate([0.0, 1.0, 0.0, 1.0]), estimate([0.0, 1.0] * 50)

    assert few.low <= few.mean == 0.5 <= few.high
    assert many.high - many.low < few.high - few.low
    assert estimate([0.3]).low == estimate([0.3]).high == 0.3
    with pytest.raises(ValueError, match="no values"):
        estimate([])


def test_differences_are_paired_by_seed() -> None:
    difference = paired_difference({1: 0.9, 2: 0.5, 3: 1.0}, {2: 0.4, 1: 0.8, 9: 0.0})

    assert difference is not None
    assert difference.count == 2
    assert difference.mean == pytest.approx(0.1)
    assert paired_difference({1: 0.9}, {2: 0.9}) is None


def test_trials_and_rows_survive_their_lines() -> None:
    trial = Trial(Case("streams", "some", 65536, {"load": 0.5}, 100), 1000, ("streammem",))
    row = Row(trial.key("streammem"), {"needle_r1": 1.0}, None)

    assert trial_from_json(json.loads(json.dumps(trial.to_json()))) == trial
    assert row_from_json(json.loads(json.dumps(row.to_json()))) == row
    assert trial.case.id != Case("streams", "some", 65537, {"load": 0.5}, 100).id


def test_a_protocol_whose_data_is_not_there_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skipped with a note among all protocols, an error where it was named."""
    from dataclasses import replace

    from streammem.bench import run

    lacking = replace(run.PROTOCOLS["load"], lacking=lambda _request: "--data DIR")
    monkeypatch.setattr(run, "PROTOCOLS", {"load": lacking})
    seen: list[BenchEvent] = []

    with pytest.raises(MissingError, match="--data DIR"):
        run_memory_bench(ONE)
    run_memory_bench(_with(ONE, protocols=()), on_event=seen.append)
    assert "--data DIR" in (seen[0].message or "")
