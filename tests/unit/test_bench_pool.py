"""The pool of the bench: a crash costs one policy on one stream, never the rest."""

import os
import signal
import threading
import time

from streammem.bench.pool import Pool
from streammem.bench.protocols.planted_streams import LOAD
from streammem.bench.request import BenchRequest
from streammem.bench.trials import Case, Row, Trial


def _trial(policies: tuple[str, ...] = ("streammem",), seed: int = 1000) -> Trial:
    return Trial(LOAD.cases(BenchRequest(quick=True))[0], seed, policies)


def _run(trials: list[Trial], jobs: int = 1) -> list[Row]:
    return list(Pool(jobs).rows(trials, lambda: False))


def test_only_the_policy_at_fault_fails() -> None:
    rows = {row.key.policy: row for row in _run([_trial(("no such policy", "streammem"))])}

    assert rows["streammem"].metrics
    assert "no such policy" in (rows["no such policy"].failed or "")


def test_trials_that_cannot_be_measured_do_not_stop_the_others() -> None:
    broken = Trial(Case("load", "broken", 65536, {}), 1000, ("streammem",))
    rows = _run([broken, _trial(), _trial(seed=1001)], jobs=2)

    assert sorted(bool(row.failed) for row in rows) == [False, False, True]


def test_a_killed_child_costs_its_trial_only() -> None:
    pool = Pool(1)

    def kill_first_child() -> None:
        while not (pid := pool.pids()):
            time.sleep(0.001)
        os.kill(pid[0], signal.SIGKILL)

    killer = threading.Thread(target=kill_first_child)
    killer.start()
    rows = list(pool.rows([_trial(), _trial(seed=1001)], lambda: False))
    killer.join()

    assert len(rows) == 2
    assert [bool(row.failed) for row in rows].count(True) == 1
    assert any(row.metrics for row in rows)


def test_no_child_outlives_a_stop() -> None:
    pool = Pool(2)
    rows = pool.rows([_trial(seed=seed) for seed in range(1000, 1040)], lambda: False)
    next(rows)
    pids = pool.pids()
    rows.close()

    assert pids
    for pid in pids:
        for _ in range(1200):
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                break
            time.sleep(0.05)
        else:
            raise AssertionError(f"{pid} still runs")
