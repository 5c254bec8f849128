"""Keys of ``environment.json`` on data sets that lie on a slow share."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, model_validator

from sensor2sensor.config.validate import at_key

_NO_FOLDER = '"disk" needs a folder on this machine: "cache_dir": "${TMPDIR:-/tmp}/s2s-cache"'


class CacheKeys(BaseModel):
    """The part of the machine's settings that says how records are read and kept."""

    parallel_reads: Annotated[int, Field(ge=1, le=256)] | None = Field(
        default=None,
        description="Records read at a time, for a share that answers late; null: one a core",
    )

    cache: Literal["memory", "disk"] | None = Field(
        default=None,
        description="Where records of train are kept once read, for a slow share; null: nowhere",
    )
    cache_gib: Annotated[float, Field(gt=0)] = Field(
        default=16.0, description="Most GiB to keep, of a process or in all of cache_dir"
    )
    cache_dir: str | None = Field(
        default=None, description="Folder of cache 'disk', on a disk of this machine"
    )

    @model_validator(mode="after")
    def _somewhere(self) -> Self:
        if self.cache == "disk" and self.cache_dir is None:
            raise at_key("cache", _NO_FOLDER)
        return self
