"""docs/metrics.md: every metric with its formula, what other libraries say, and what each one sees.

    python -m sensor2sensor metrics                          # print the page
    python -m sensor2sensor metrics --write docs/metrics.md
    python -m sensor2sensor metrics --check docs/metrics.md  # 1 where it is out of date

Numbers are of generated images and agree between machines but for their last digits, which a check
forgives. Rows of a library that is not installed are taken from the page as it is.
"""

from __future__ import annotations

import argparse
import math
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from sensor2sensor.core import cli, files, notices

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "metrics.md"
COMMAND = "python -m sensor2sensor metrics --write docs/metrics.md"
NUMBER = re.compile(r"\d+(?:\.\d+)?")
RELATIVE, ABSOLUTE = 0.05, 0.02  # what two machines may differ by in a printed number
STUDY_PATCHES, STUDY_PX = 2, 64
HEAD = f"""# Metrics

Written by `{COMMAND}`; change none of it here.
`python -m sensor2sensor metrics --check docs/metrics.md` says whether it is up to date.

Every number of an evaluation is one image's, computed in float64 from physical units; a mean is
taken over tiles. x is the truth, y the prediction, b a band, ^ a value mapped so that its band's
value range in the data set is [0, 1]. Pixels without a truth in every band are left out, and
windows count that hold none of them. ↑ higher is better, ↓ lower. NaN is undefined and +inf
perfect; neither enters a mean.
"""
PROFILES = {
    "standard": "The default: what validation, `monitor` and every report have.",
    "extended": "`python evaluate.py --exp EXP --profile extended` scores all of `standard`, and"
    " these behind them.",
    "torchsisr": "Of super-resolution across sensors ([there](superresolution.md)); beside them"
    " stand `psnr` (pooled over bands), `l1`, `ssim` and `hp_l1` as in `standard`.",
    "dsen2cr": "Of cloud removal ([there](clouds.md#scores)): besides `mae` the `rmse`, `psnr`,"
    " `ssim` and `sam` of `standard`, on the range 0 to 1.",
    "pix2pix-maps": "As published for maps and photos"
    " ([there](pictures.md#scores-as-published-profile-pix2pix-maps)); beside them `psnr` and"
    " `ssim` as in `standard`.",
}
WHY = """### Why `extended` is a profile of its own

Tables on disk keep their columns: evaluations from before and after share one. Verdicts are
corrected for how many metrics a table has (Holm), so that more columns would cost every other
metric power. MS-SSIM, NDVI and LPIPS need what not every data set has: 161 pixels, two bands, a
file of weights. And they take time: of a tile of 256 × 256 pixels and four bands 0.5 s of one core
in place of 0.4, and LPIPS more. Metrics of both profiles have the same names and values;
profiles never share a table.

**Thirds of the gradient are those of each tile** and not of a data set: where gradients differ each
part has a third of the tile's pixels. Equal ones stay together in the lower part: of a mostly flat
tile, or one of few levels, smooth has more, and middle or edges have less or nothing (NaN). The
truth alone decides, over all bands: every method is scored on the same pixels, no pair of methods
loses a tile that one of them keeps, and a tile's score depends on no other tile. What they cannot
tell is how errors grow with the roughness of the ground: the smooth third of a town may be rougher
than the edges of a sea.

**LPIPS needs a file of weights**, which nothing here downloads. `s2s lpips-weights --help` says
which two public files it is made of, without PyTorch (`.pth` of any version, read and never run,
`.safetensors` or `.npz`). `"lpips_weights": "lpips_alex.npz"` in `environment.json`, relative to
`data_root`, gives the column; the evaluation notes the file's SHA-256 and backbone, and reports
keep two files apart. The file is an `.npz` of float32 arrays: `format` "sensor2sensor lpips 1",
`backbone` (`alex`, `vgg`), `kernel_i` [rows, columns, in, out] and `bias_i` of each convolution,
`head_l` [channels] of each layer that is looked at. Backbones trained on ImageNet were not at hand
here: the tests make random ones and hold the distance against a forward pass in NumPy. With random
backbones of torchvision and the published linear heads it is that of the package lpips 0.1.4 to
seven digits, AlexNet (0.0013810) and VGG16 (0.0023884). The networks know photos taken on the
ground; what they call near need not be so in reflectance.
"""
TRUST_ABOUT = """What a prediction adds to its input ([there](trust.md), with all formulas and
limits): consistency, synthesis, and improvement, omission and hallucination, the distance named."""
ARISGAN_ABOUT = """As coded by a publication, faults included, on images divided by their norm; for
comparison with its numbers and for nothing else (`sensor2sensor/metrics/arisgan.py`)."""
FREQUENCY_ABOUT = """Of profile `torchsisr`, in percent, from mean amplitudes by ring in dB (Nyquist
frequency of the target = 1): T the target's, I that of the input enlarged bicubically, P the
prediction's. One value for a data set and band, not for a tile; FRR stands nowhere without FRO and
noise."""
AGREEMENT_ABOUT = """One generated image of 176 × 176 pixels and four bands, and a prediction that
is blurred, 5 % brighter and noisy. A difference is relative where the value is above 1. Rows of a
library that is not installed (piq needs torch) stay as they were last written. No library has
HF-LSD, HP-L1, errors by gradient or NDVI errors, which the tests recompute from their formulas."""
SENSITIVITY_ABOUT = """The truth of generated parcels in four bands, spoilt in one way at a time. A
cell is what the metric loses by it, as a share of what it loses by bicubic interpolation by 4; from
{share:g} on the metric **recognises** the defect. Of PSNR, infinite for the truth, it is the share
in relative error. {absolute} are 0 for both the truth and bicubic: percentage points, recognised
from {point:g} on."""
STUDY_ABOUT = """A target that lies beside the prediction, in small:
`python -m benchmarks.metric_sensitivity` is the whole study, with contrast, noise and patterns, on
images of your own where you name some. Under 2 pixels PSNR likes {psnr} best, SSIM {ssim} and FRR
{frr}: the first two ask for blur, and what is trained on them learns it."""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def definitions() -> str:
    """A section for each profile."""
    from benchmarks.metric_formulas import ARISGAN, FORMULAS, FREQUENCY, Formula
    from sensor2sensor.config.vocabulary import (
        ARROWS,
        EXTENDED,
        TABLES,
        TRUST_METRICS,
        MetricInfo,
        metric_info,
    )
    from sensor2sensor.evaluation.definitions import definitions as told

    def line(name: str, info: MetricInfo, formula: Formula) -> tuple[str, ...]:
        words = (f"`{name}`", f"{info.label} {ARROWS[info.better]}", formula.text, info.unit)
        return (*words, formula.range, formula.undefined, _plain(info.paper))

    head = ("column", "metric", "formula", "unit", "range", "undefined", "source")
    parts = []
    for profile, entered in TABLES.items():
        about = PROFILES.get(profile, "")
        rows = [line(name, info, FORMULAS[name]) for name, info in entered.items()]
        why = f"\n{WHY}" if profile == EXTENDED else ""
        parts.append(f"## Profile {profile}\n\n{about}\n\n{table(head, rows)}{why}")
    trusted = [
        (f"`{name}`", f"{info.label} {ARROWS[info.better]}", info.unit, info.paper)
        for name, info in TRUST_METRICS.items()
    ]
    rows = table(("column", "metric", "unit", "what"), ([_plain(c) for c in r] for r in trusted))
    parts.append(f"## Profile trust\n\n{TRUST_ABOUT}\n\n{rows}")
    known = told("arisgan", tuple(ARISGAN))
    rows = []
    for name, formula in ARISGAN.items():
        info = metric_info(name)
        if info is None:
            raise KeyError(name)
        as_coded = MetricInfo(
            name, known[name]["label"] or "", known[name]["unit"] or "", info.better, "as coded"
        )
        rows.append(line(name, as_coded, formula))
    parts.append(f"## Profile arisgan\n\n{ARISGAN_ABOUT}\n\n{table(head, rows)}")
    frequencies = [(f"`{name}`", *words) for name, words in FREQUENCY.items()]
    head = ("name", "what", "formula", "range")
    parts.append(f"## Frequency analysis\n\n{FREQUENCY_ABOUT}\n\n{table(head, frequencies)}")
    return "\n".join(parts)


def _plain(text: str) -> str:
    """Text in a cell, where a bar would end it."""
    return text.replace("|", "\\|")


def agreement(before: str) -> str:
    """What other libraries say of the same images.

    Args:
        before: The page as it is, for rows of libraries that are not installed.
    """
    from benchmarks.metric_oracles import LIBRARIES, rows

    kept = re.findall(r"^\| (.+) \|$", before, re.M)
    lines = []
    for oracle, found in rows().items():
        start = f"{oracle.metric} | {LIBRARIES[oracle.library]} | {oracle.call} |"
        old = [row.split(" | ") for row in kept if row.startswith(start)]
        lines += [found] if found is not None else old
    head = ("metric", "library", "call", "ours", "theirs", "difference", "why")
    return f"## Agreement with other libraries\n\n{AGREEMENT_ABOUT}\n\n{table(head, lines)}"


def sensitivity() -> str:
    """Which metric sees which planted defect."""
    from benchmarks.metric_defects import ABSOLUTE, POINT, SHARE, recognised, shares

    found = shares()
    metrics = list(next(iter(found.values())))
    rows = []
    for metric in metrics:
        cells = []
        for defect in found:
            value = found[defect][metric]
            text = f"{value:.2f}" if value < 10 else "> 10"
            cells.append(f"**{text}**" if recognised(metric, value) else text)
        rows.append((f"`{metric}`", *cells))
    by = [
        (defect, str(sum(recognised(m, v) for m, v in own.items())), _blind(own))
        for defect, own in found.items()
    ]
    marks = " and ".join(f"`{metric}`" for metric in ABSOLUTE)
    about = SENSITIVITY_ABOUT.format(share=SHARE, point=POINT, absolute=marks)
    return (
        f"## What each metric sees\n\n{about}\n\n{table(('metric', *found), rows)}\n"
        f"{table(('defect', 'recognised by', 'blind to it'), by)}"
    )


def _blind(own: dict[str, float]) -> str:
    return ", ".join(f"`{m}`" for m, value in own.items() if f"{value:.2f}" == "0.00") or "–"


def study() -> str:
    """What PSNR and FRR like best under a shift."""
    from benchmarks import metric_sensitivity as sweep

    target = sweep.patches(STUDY_PATCHES, STUDY_PX)
    metrics, shifts = ("psnr", "ssim", "frr"), (0.0, 2.0)
    rows = sweep.study(target, kinds=("blur",), metrics=metrics[:2], shifts_px=shifts)
    lines = []
    for mtf in sweep.MTFS:
        own = {row.shift_px: row.scores for row in rows if row.amount == mtf}
        cells = [
            _cell(own[shift][metric], 2 if metric == "ssim" else 1)
            for metric in metrics
            for shift in shifts
        ]
        lines.append(("none" if mtf is None else f"{mtf:g}", *cells))
    liked = {m: sweep.preferred(rows, m, shifts[-1]) for m in metrics}
    told = {
        m: "the sharp image" if mtf is None else f"an MTF of {mtf:g}" for m, mtf in liked.items()
    }
    head = ["MTF of the blur"]
    head += [f"{m.upper()}, {s:g} px" for m in metrics for s in shifts]
    about = STUDY_ABOUT.format(**told)
    return f"## Blur under misregistration\n\n{about}\n\n{table(head, lines)}"


def _cell(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if math.isfinite(value) else "∞"


def page(before: str = "") -> str:
    """The text of the page."""
    return "\n".join((HEAD, definitions(), agreement(before), sensitivity(), study()))


def differences(text: str, other: str) -> list[str]:
    """Lines of the first that the second has not, numbers compared with some tolerance."""
    lines, others = text.splitlines(), other.splitlines()
    found = [one for one, two in zip(lines, others, strict=False) if not _alike(one, two)]
    return found + lines[len(others) :] + others[len(lines) :]


def _alike(one: str, other: str) -> bool:
    # A share may cross the rule by its last digit: bold marks count as numbers do.
    if NUMBER.sub("0", one).replace("*", "") != NUMBER.sub("0", other).replace("*", ""):
        return False
    pairs = zip(NUMBER.findall(one), NUMBER.findall(other), strict=True)
    return all(
        abs(float(a) - float(b)) <= (ABSOLUTE if "." in a else 1) + RELATIVE * abs(float(b))
        for a, b in pairs
    )


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    made = cli.parser(__doc__ or "", prog="python -m sensor2sensor metrics")
    either = made.add_mutually_exclusive_group()
    either.add_argument("--write", type=Path, metavar="FILE", help="write the page")
    either.add_argument("--check", type=Path, metavar="FILE", help="compare it with a file")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Print, write or check the page; returns the exit code."""
    return cli.main_guard(_run, arguments(), argv)


def _run(asked: argparse.Namespace) -> int:
    notices.load_tensorflow()
    file = asked.write or asked.check or PAGE
    before = file.read_text(encoding="utf-8") if file.is_file() else ""
    text = page(before)
    if asked.write:
        files.write_text(asked.write, text)
        sys.stdout.write(f"wrote {asked.write}\n")
        return 0
    if asked.check is None:
        sys.stdout.write(text)
        return 0
    stale = differences(text, before)
    for line in stale[:5]:
        sys.stdout.write(f"{file.name} has not: {line[:160]}\n")
    sys.stdout.write(f"{file.name}: {f'run {COMMAND}' if stale else 'up to date'}\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
