"""Errors, names, seeds, times, runs, the parallel map and the command line."""

from __future__ import annotations

import os
import pickle
import signal
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor2sensor.core import cli, errors, manifest, names, parallel, runs, seeds, times


def test_error_is_one_line_with_where_and_hint() -> None:
    error = errors.InputError("no\nsuch file", where="x.json", hint="make it")
    assert str(error) == "x.json: no such file; make it"
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), type(again)) == (str(error), errors.InputError)
    several = pickle.loads(pickle.dumps(errors.ConfigErrors(["a", "b"])))
    assert str(several) == "a\nb"


def test_nearest_name() -> None:
    assert names.nearest("aris_a", ["aris-a", "pix2pix"]) == "aris-a"
    assert names.suggestion("zzz", ["b", "a"]) == "valid: a, b"
    assert names.nearest("b2", ["B01", "B02", "B12"]) == "B02"
    assert names.nearest("Oa8", ["Oa18", "Oa08"]) == "Oa08"


def test_seeds_are_the_same_on_every_machine() -> None:
    # Worked out once with hashlib alone; a change here would move every split and order.
    import hashlib

    text = "int:1:7|str:5:order|int:1:3|str:1:x"
    digest = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
    assert seeds.derive(7, seeds.Purpose.ORDER, 3, "x") == digest >> 1


@given(st.integers(0, 2**31), st.text(max_size=5), st.text(max_size=5))
def test_seeds_differ_by_key_and_purpose(seed: int, a: str, b: str) -> None:
    one = seeds.derive(seed, seeds.Purpose.ORDER, a, b)
    assert 0 <= one < 2**63
    assert one != seeds.derive(seed, seeds.Purpose.AUGMENT, a, b)
    assert (one == seeds.derive(seed, seeds.Purpose.ORDER, b, a)) == (a == b)
    assert 0.0 <= seeds.keyed_hash(seed, a) < 1.0


def test_keyed_hash_is_uniform() -> None:
    values = np.array([seeds.keyed_hash(0, i) for i in range(4000)])
    counts = np.histogram(values, bins=10, range=(0, 1))[0]
    assert abs(counts - 400).max() < 5 * 20


def test_times() -> None:
    assert times.parse_utc("2022-10-05T11:54:11.024Z").tzinfo == UTC
    naive = times.parse_utc("2022-10-05T11:54:11")
    east = datetime(2022, 10, 5, 13, 54, 11, tzinfo=timezone(timedelta(hours=2)))
    assert naive == east
    assert times.format_utc(east) == "2022-10-05T11:54:11.000Z"
    assert times.hours_between(east, naive + timedelta(minutes=90)) == 1.5
    with pytest.raises(errors.InputError, match="not an ISO 8601 time"):
        times.parse_utc("yesterday")


def test_manifest_differences() -> None:
    found = manifest.differences({"a": 1, "b": 2}, {"a": 1, "b": 3, "c": 4})
    assert found == ["b: 2 (there) against 3 (asked)", "c: nothing (there) against 4 (asked)"]
    (phrase,) = manifest.differences({"l": {"a": 1, "b": None}}, {"l": {"a": 2, "b": None}})
    assert phrase == "l.a: 1 (there) against 2 (asked)"
    assert manifest.fingerprint({"a": 1, "b": 2}) == manifest.fingerprint({"b": 2, "a": 1})


def test_latest_run_comes_from_run_json_not_from_the_name(tmp_path: Path) -> None:
    for stamp, started in (
        ("1231-2359", "2025-12-31T23:59:00Z"),
        ("0101-0001", "2026-01-01T00:01:00Z"),
    ):
        runs.write_run_json(runs.Run(tmp_path, stamp), {"started": started})
    assert runs.latest_run(tmp_path) == runs.Run(tmp_path, "0101-0001")
    assert runs.new_timestamp(tmp_path, datetime(2026, 1, 1, 0, 1, tzinfo=UTC)) == "0101-0001-2"
    with pytest.raises(errors.InputError, match="runs there: 1231-2359, 0101-0001"):
        runs.find_run(tmp_path, "0202-0202")


def _square_or_fail(value: int) -> int:
    if value == 2:
        raise errors.ProductError("broken", where="two")
    return value * value


def _die_on_three(value: int) -> int:
    if value == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return value * value


@pytest.mark.parametrize("workers", [1, 2])
def test_parallel_map_goes_on_after_a_failure(workers: int) -> None:
    results = list(
        parallel.parallel_map(_square_or_fail, [1, 2, 3], workers=workers, label=str, desc="t")
    )
    assert [item for item, _ in results] == [1, 2, 3]
    assert results[0][1] == 1
    assert isinstance(results[1][1], parallel.Failure)
    assert results[1][1].reason == "two: broken"
    assert results[2][1] == 9


def test_parallel_map_survives_a_killed_worker() -> None:
    results = dict(
        parallel.parallel_map(_die_on_three, [1, 2, 3, 4, 5], workers=2, label=str, desc="t")
    )
    assert isinstance(results[3], parallel.Failure)
    assert "with it alone worker process" in results[3].reason
    assert {k: v for k, v in results.items() if k != 3} == {1: 1, 2: 4, 4: 16, 5: 25}


def test_command_line_errors_are_one_line_with_exit_code(
    capsys: pytest.CaptureFixture[str],
) -> None:
    made = cli.parser("Doc.", prog="prog", steps=True)
    made.add_argument("--tilesize", type=int)
    with pytest.raises(SystemExit) as caught:
        made.parse_args(["--tilesiz", "3"])
    assert caught.value.code == 2
    assert "nearest: --tilesize" in capsys.readouterr().err
    made.add_argument("--evaluation")
    with pytest.raises(SystemExit):
        made.parse_args(["--eval", "x"])  # which shares as many letters with --help
    assert "nearest: --evaluation" in capsys.readouterr().err

    def fail(_: object) -> int:
        raise errors.InputError("bad", where="x", hint="mend")

    assert cli.main_guard(fail, made, []) == 2
    assert capsys.readouterr().err == "prog: x: bad; mend\n"

    def interrupted(_: object) -> int:
        raise KeyboardInterrupt

    assert cli.main_guard(interrupted, made, []) == 130


@pytest.mark.parametrize(
    "words",
    [
        ["--train_ratio", "0.5", "--max-cloud=0.2", "--dry-run"],
        ["--train-ratio", "0.5", "--max_cloud=0.2", "--dry_run"],
        ["--train-ratio=0.5", "--max_cloud", "0.2", "--dry_run", "--", "--as_it_is"],
    ],
)
def test_options_are_taken_with_hyphens_and_with_underscores(words: list[str]) -> None:
    made = cli.parser("Doc.", prog="prog", steps=True)
    group = made.add_argument_group("more")
    group.add_argument("--train_ratio", type=float)
    group.add_argument("--max-cloud", type=float)
    made.add_argument("rest", nargs="*")
    args = made.parse_args(words)
    assert (args.train_ratio, args.max_cloud, args.dry_run) == (0.5, 0.2, True)
    assert args.rest == (["--as_it_is"] if "--" in words else [])


def test_every_step_takes_both_spellings_of_every_option(repository: Path) -> None:
    from sensor2sensor.preprocess.records import options as tfrecords_options
    from sensor2sensor.preprocess.tiles import options as tifs_options

    for options in (tfrecords_options, tifs_options):
        made = cli.parser("Doc.", prog="prog", steps=True)
        options.add_arguments(made)
        for action in made._actions:
            for name in (o for o in action.option_strings if o.startswith("--")):
                for spelt in (name[2:].replace("_", "-"), name[2:].replace("-", "_")):
                    assert made._as_declared(f"--{spelt}=1") == f"{name}=1"


def test_step_report_counts(capsys: pytest.CaptureFixture[str]) -> None:
    report = cli.StepReport("step 20")
    report.done("a")
    report.failed("b", "damaged")
    assert report.finish() == 1
    assert capsys.readouterr().out.splitlines() == [
        "  failed: b: damaged",
        "step 20: 1 done, 0 already there, 1 failed",
    ]


def test_an_item_that_is_a_number_is_no_part_of_other_numbers(
    capsys: pytest.CaptureFixture[str],
) -> None:
    report = cli.StepReport("step 53")
    for number in ("0", "1", "7"):
        report.failed(number, "has 120 x 10 pixels")
    report.failed("3", "3: has no band")
    report.finish()
    assert capsys.readouterr().out.splitlines()[:-1] == [
        "  failed: 0: has 120 x 10 pixels",
        "          and 2 more like it: 1, 7",
        "  failed: 3: has no band",
    ]


def test_failures_of_one_cause_are_one_line_that_names_all(
    capsys: pytest.CaptureFixture[str],
) -> None:
    report = cli.StepReport("step 40", dry_run=True)
    names = [f"S2A_MSIL1C_202207{day}T171911_N0400_R026_T17XNA_x.SAFE" for day in (14, 15, 16)]
    for number, name in enumerate(names):
        report.failed(f"scene 0000{number}", f"{name}: lacks B08 at 10 m; repeat step 20")
    report.failed("scene 00007", "no partner overlaps it by 0.5 (best 0.12); lower --overlap")
    report.failed("scene 00008", "no partner overlaps it by 0.5 (best 0.31); lower --overlap")
    report.failed("scene 00009", f"{names[0]}: lacks B03 at 10 m; repeat step 20")
    assert report.finish() == 1
    assert capsys.readouterr().out.splitlines() == [
        f"  failed: scene 00000: {names[0]}: lacks B08 at 10 m; repeat step 20",
        "          and 2 more like it: scene 00001, scene 00002",
        "  failed: scene 00007: no partner overlaps it by 0.5 (best 0.12); lower --overlap",
        "          and 1 more like it: scene 00008",
        f"  failed: scene 00009: {names[0]}: lacks B03 at 10 m; repeat step 20",
        "step 40: 0 would be done, 0 already there, 6 failed",
    ]
