"""Level-2A as a user's own sen2cor makes it: at some resolutions, in the words of its version."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from tests.fakes.s2 import make_s2

_OLD = {
    "Product_Info": "L2A_Product_Info",
    "Product_Organisation": "L2A_Product_Organisation",
    "PRODUCT_URI": "PRODUCT_URI_2A",
    "Product_Image_Characteristics": "L2A_Product_Image_Characteristics",
    "QUANTIFICATION_VALUES_LIST": "L1C_L2A_Quantification_Values_List",
    "BOA_QUANTIFICATION_VALUE": "L2A_BOA_QUANTIFICATION_VALUE",
    "TILE_ID": "TILE_ID_2A",
    "DATASTRIP_ID": "DATASTRIP_ID_2A",
}


def sen2cor(folder: Path, *resolutions: int, old: bool = False, **options: object) -> Path:
    """Write the output of sen2cor; the `.SAFE` folder.

    Args:
        folder: where it goes.
        resolutions: those it was run at: `--resolution 20` leaves no R10m.
        old: as sen2cor 2.3 wrote it in 2016: `Granules` with `IMAGE_ID_2A`, images listed by their
            names alone, the scene classification as `SCL_L2A_…`, masks of clouds and snow beside
            it. Otherwise as 2.10 and later: baseline 99.99, whose name has N9999.
        options: of `make_s2`.
    """
    given = {"level": "L2A", "baseline": "02.04" if old else "05.09", "size_px": 192,
             "quality_masks": False, **options}  # fmt: skip
    made = make_s2(folder, resolutions=resolutions, **given)  # type: ignore[arg-type]
    if old:
        _as_of_2016(made)
        (made / "manifest.safe").unlink()  # it lists other files than these
        return made
    named = made.with_name(made.name.replace("_N0509_", "_N9999_"))
    made.rename(named)
    for xml in (named / "MTD_MSIL2A.xml", next(named.glob("GRANULE/*/MTD_TL.xml"))):
        text = xml.read_text().replace(made.name, named.name).replace("05.09", "99.99")
        xml.write_text(text)
    return named


def _as_of_2016(safe: Path) -> None:
    (granule,) = safe.glob("GRANULE/*")
    for path in sorted(granule.glob("IMG_DATA/**/*.jp2")):
        tile, time, kind, *size = path.stem.split("_")
        new = f"L2A_{tile}_{time}_{kind}_{size[0]}"
        if kind in ("SCL", "AOT", "WVP"):
            new = f"S2A_USER_{kind}_L2A_TL_MTI__{time}_A000123_{tile}_{size[0]}"
        path.rename(path.with_name(f"{new}.jp2"))
        if kind == "SCL":  # listed beside it, and of no use here
            shutil.copy(path.with_name(f"{new}.jp2"), path.with_name(_cloud(new)))
    shutil.rmtree(granule / "QI_DATA")
    names = [path.stem for path in sorted(granule.glob("IMG_DATA/**/*.jp2"))]
    images = "".join(f"<IMAGE_ID_2A>{name}</IMAGE_ID_2A>" for name in names)
    xml = safe / "MTD_MSIL2A.xml"
    text = re.sub(r"(?:\s*<IMAGE_FILE>.*</IMAGE_FILE>)+", images, xml.read_text())
    xml.write_text(re.sub(r"(</?)Granule(?=[ >])", r"\1Granules", text))
    for file in (xml, granule / "MTD_TL.xml"):
        text = file.read_text()
        for new, old in _OLD.items():
            text = re.sub(rf"(</?(?:\w+:)?){new}(?=[ >])", rf"\g<1>{old}", text)
        file.write_text(text)


def _cloud(scene_classes: str) -> str:
    return f"{scene_classes.replace('_SCL_', '_CLD_')}.jp2"
