"""Pairs found by bisection are those of all pairs, over midnights and the ends of months."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import example, given, settings
from hypothesis import strategies as st

from sensor2sensor.preprocess.inventory.pairing import plan
from sensor2sensor.preprocess.inventory.sightings import Sighting
from sensor2sensor.products.acquisitions import Acquisition

ENDS = [datetime(*day, tzinfo=UTC) for day in ((2023, 1, 1), (2024, 2, 29), (2024, 3, 1))]
SECONDS = st.integers(-90_000, 90_000).map(lambda seconds: timedelta(seconds=seconds))
TIMES = st.one_of(
    st.builds(lambda end, away: end + away, st.sampled_from(ENDS), SECONDS),
    st.datetimes(datetime(2022, 12, 30), datetime(2023, 1, 3), timezones=st.just(UTC)),
)


def sighting(number: int, sensor: str, time: datetime, minutes: int = 0) -> Sighting:
    start = time - timedelta(minutes=minutes)
    what = Acquisition(sensor, f"{sensor}{number}", start, start)
    name = f"{sensor}_{number:03d}"
    return Sighting(f"{name}.SAFE", name, what, start, over_tile=time, facts={})


@settings(max_examples=150, deadline=None)
@given(
    scenes=st.lists(TIMES, max_size=8),
    passes=st.lists(st.tuples(TIMES, st.integers(0, 3)), max_size=12),
    hours=st.one_of(st.sampled_from([0.5, 1.0, 24.0]), st.floats(0.01, 48.0)),
)
@example(scenes=[ENDS[0]], passes=[(ENDS[0] - timedelta(hours=1), 3)], hours=1.0)
@example(scenes=[ENDS[1]], passes=[(ENDS[2], 0)], hours=24.0)
def test_windows_by_index_are_all_pairs(scenes, passes, hours):
    s2 = [sighting(number, "S2A", time) for number, time in enumerate(scenes)]
    s3 = [sighting(number, "S3A", *one) for number, one in enumerate(passes)]
    window = timedelta(hours=hours)
    found = {(row.s2, row.s3) for row in plan(s2, s3, window).added}
    naive = {(a.path, b.path) for a in s2 for b in s3 if abs(a.time - b.time) <= window}
    assert found == naive
