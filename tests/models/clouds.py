"""A probing experiment of cloudy optical images, radar and cloud masks, as step 53 makes them."""

from __future__ import annotations

from typing import Any

from model_tools import probe

NM = {
    "B01": 442.7, "B02": 492.4, "B03": 559.8, "B04": 664.6, "B05": 704.1, "B06": 740.5,
    "B07": 782.8, "B08": 832.8, "B8A": 864.7, "B09": 945.1, "B10": 1373.5, "B11": 1613.7,
    "B12": 2202.4,
}  # fmt: skip
TEN = tuple(name for name in NM if name not in ("B01", "B09", "B10"))
RADAR = {"VV": (-25.0, 0.0), "VH": (-32.5, 0.0)}
STORED = {"nodata": None, "scale": 1.0, "offset": 0.0}


def band(name: str, **changes: Any) -> dict[str, Any]:
    """A band of either sensor as ``dataset.json`` has it."""
    if name in RADAR:
        form = {"unit": "dB", "wavelength_nm": None, "groups": ["S1", "10m"]}
        return {"name": name, **STORED, **form, "value_range": RADAR[name], **changes}
    form = {"unit": "reflectance", "wavelength_nm": NM[name], "groups": ["S2", "L1C"]}
    return {"name": name, **STORED, **form, "value_range": (0.0, 1.0), **changes}


def contract(
    inputs: tuple[str, ...] = (*TEN, "VV", "VH"),
    targets: tuple[str, ...] = TEN,
    *,
    tile_px: int = 64,
    variant: str | None = "dsen2cr",
    **changes: Any,
) -> Any:
    """A contract of kind paired; ``variant`` is that of its cloud masks, None: it has none."""
    made = probe.contract(tile_px=tile_px).model_dump(mode="json")
    sides = {
        "input": [band(name, **changes) for name in inputs],
        "target": list(map(band, targets)),
    }
    made["input"] = {
        "layout": "dense", "bands": sides["input"], "dtype": "float32", "index_dtype": "uint8",
        "max_pixels": 1, "grid": None, "pixel_m": 10.0,
    }  # fmt: skip
    made["target"] = {"bands": sides["target"], "dtype": "uint16"}
    mask = {"name": "cloud_mask", "dtype": "uint8", "shape": [tile_px] * 2, "unit": "1"}
    strata = {"covered": [1, 2], "clear": [0]}
    mask |= {"role": "mask", "strata": strata, "variant": variant or ""}
    made |= {"kind": "paired", "factor": 1.0, "extras": [] if variant is None else [mask]}
    made["statistics"] = {
        side: [probe._statistics(*(one["value_range"] or (0.0, 1.0))) for one in bands]
        for side, bands in sides.items()
    }
    return type(probe.contract()).model_validate(made, strict=False)


def experiment(data: Any = None, *, size: int = 64, **settings: Any) -> probe.Probe:
    """As ``standin.experiment``, on such a data set; by default without a discriminator."""
    made = probe.experiment(size=size, **{"discriminator": None, **settings})
    return probe.Probe(made.config, data or contract(tile_px=size), made.output.LOGS)
