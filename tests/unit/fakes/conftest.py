"""Products shared by the tests of the generators."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes import make_s2, make_s3


@pytest.fixture(scope="session")
def l1c(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_s2(tmp_path_factory.mktemp("l1c"), size_px=384, cloud=0.2)


@pytest.fixture(scope="session")
def l2a(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_s2(tmp_path_factory.mktemp("l2a"), size_px=384, level="L2A", cloud=0.2)


@pytest.fixture(scope="session")
def wedge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_s2(
        tmp_path_factory.mktemp("wedge"), baseline="03.01", nodata_wedge=0.3, checksum="MD5",
        cloud=0.2, size_px=384, bands=("B02", "B04"), resolutions=(10,),
    )  # fmt: skip


@pytest.fixture(scope="session")
def efr(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_s3(tmp_path_factory.mktemp("efr"), rows=65, columns=97)


@pytest.fixture(scope="session")
def old_efr(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_s3(
        tmp_path_factory.mktemp("old"), rows=65, columns=97, collection="002", platform="S3B"
    )
