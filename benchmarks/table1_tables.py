"""Tables of results/table1.json, which table1.py writes, for docs/table1.md."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from look_scores import REAL_LIGHT
from speed_tables import RESULTS
from table1_rows import BENEATH, EQUAL_TIME, LONG, PACKAGED, REFERENCE, ROWS, Row

SETS = ("val-one", "val-two", "val-camera", "val-large", "val-real")
HEADS = [f"{name}, an indication" if name in REAL_LIGHT else name for name in SETS]
"""Real light is that of too few views for a claim."""
METRICS = (("mse", 1), ("fmse", 1), ("psnr", 2), ("fssim", 4))
ENDING = "-equal-time"
EQUAL_TERMS = ("classical", "image", "video", "ours")
"""Groups that know no target and saw no more than the others."""
LEAST_VIDEOS = 8
"""An interval over fewer videos is no ground for a claim."""


def result() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RESULTS / "table1.json").read_text())
    return found


def rows_by_name() -> dict[str, dict[str, Any]]:
    """The rows that have been scored, by their names; none where the file is not there."""
    if not (RESULTS / "table1.json").exists():
        return {}
    return {row["row"]: row for row in result()["rows"]}


def scored() -> list[tuple[Row, dict[str, Any]]]:
    """The rows that have been scored, in the order of the table."""
    by_name = rows_by_name()
    return [(row, by_name[row.name]) for row in ROWS if row.name in by_name]


def _lines(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    told = [[*head], ["---"] * len(head), *([*row] for row in rows)]
    return "\n".join("| " + " | ".join(row) + " |" for row in told)


def named(row: Row, found: dict[str, Any]) -> str:
    """A row as tables name it: how far it goes stands beside a classical method."""
    if row.group != "classical":
        return row.title
    fixed = "" if row.mix is None else ", a fixed share"
    return f"{row.title}, {found['mix']:g} of the way{fixed}"


def left(report: dict[str, Any]) -> tuple[float, tuple[float, float], float]:
    """The ratio of fMSE, its interval and the share of composites that are worse; of real light,
    those of the composites that lead."""
    part = report.get("leading")
    if part is None:
        ratio, interval, worse = report["ratio"]["fmse"], report["ratio_ci95"]["fmse"], report
    else:
        ratio, interval, worse = part["ratio"]["fmse"], part["ratio"]["ci95"], part
    low, high = interval
    return ratio, (low, high), worse["worse_share"]


def _cell(report: dict[str, Any]) -> str:
    ratio, (low, high), worse = left(report)
    return f"{ratio:.3f} [{low:.2f}, {high:.2f}] ({worse:.0%})"


def _old(found: dict[str, Any], name: str) -> str:
    """A mark where a row was scored on a set before some of its composites were made anew: where
    the set is not the one that the untouched composite was scored on."""
    today = rows_by_name().get("composite", found)["sets"].get(name)
    report = found["sets"].get(name)
    if None in (today, report) or report["digests"]["set"] == today["digests"]["set"]:
        return ""
    return " †"


def old_line() -> str:
    """What the mark says, where a row has it."""
    marked = [name for name in SETS if any(_old(found, name) for _, found in scored())]
    return (
        f"†: on {', '.join(marked)} as it was before some of its composites were made anew."
        if marked
        else ""
    )


def ratio_table(kind: str) -> str:
    """One row a method, one column a set: as drawn (``sets``) or by its colors alone."""
    rows = [
        [
            named(row, found),
            *(
                _cell(found[kind].get(name, found["sets"].get(name))) + _old(found, name)
                for name in SETS
            ),
        ]
        for row, found in scored()
        if row.group not in ("untouched", "time")
    ]
    return _lines(["method", *HEADS], rows)


def time_table() -> str:
    """Four methods after equal samples and after equal processor time, by their colors alone."""
    by_name = {row.name: (row, found) for row, found in scored()}
    names = [name for row in EQUAL_TIME for name in (row.name.removesuffix(ENDING), row.name)]
    rows = []
    for row, found in (by_name[name] for name in (*names, REFERENCE) if name in by_name):
        terms = "time" if row.group == "time" else "samples"
        if row.name == REFERENCE:
            terms = "both"
        cells = (_cell(found["colors"][name]) + _old(found, name) for name in SETS)
        title = row.title.removesuffix(LONG)
        rows.append([title, terms, f"{found['samples']:,}", *cells])
    return _lines(["method", "equal", "samples", *HEADS], rows)


def metric_table(name: str) -> str:
    """All metrics of one set, with intervals over videos; steadiness for methods for videos."""
    rows = []
    for row, found in scored():
        if row.group == "time":
            continue
        report = found["sets"][name]
        cells = [named(row, found) + _old(found, name)]
        for key, digits in METRICS:
            told = report["overall"].get(key)
            cells.append(_interval(told, digits) if told else "")
        over_time = report.get("temporal", {})
        cells += [
            _interval(told["method"], 2) if (told := over_time.get(key)) and told["method"] else ""
            for key in ("tl_dis", "frtc")
        ]
        rows.append(cells)
        if row.name == "composite" and (told := over_time.get("tl_dis")) and told.get("target"):
            rows.append(
                ["the target itself", *[""] * len(METRICS), _interval(told["target"], 2), "0"]
            )
    head = ["method", "MSE", "fMSE", "PSNR", "fSSIM", "TL", "fRTC"]
    return _lines(head, rows)


def _interval(told: dict[str, Any], digits: int) -> str:
    low, high = told["ci95"]
    return f"{told['mean']:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def swapped_table() -> str:
    """val-two with the background that belongs, and with another video's."""
    rows = [
        [named(row, found), _cell(found["sets"]["val-two"]), _cell(found["swapped"]["val-two"])]
        for row, found in scored()
        if found["swapped"] and row.group not in ("untouched", "time")
    ]
    return _lines(["method", "its own background", "another video's"], rows)


def cost_table() -> str:
    """Parameters, time and memory; how far each was trained."""
    rows = []
    for row, found in scored():
        cost = found["cost"]
        sizes = [cost["training size"], cost["1080 lines"]]
        if row.mix is not None:  # the same method once more
            continue
        cells = [row.title, f"{found['parameters'] / 1e6:.2f}" if found["parameters"] else ""]
        cells += [f"{one['cpu_seconds_a_frame']:.3f}" for one in sizes]
        rows.append([*cells, f"{sizes[1]['peak_mib']:.0f}", _trained(found)])
    head = ["method", "parameters (M)", "s a frame, 128 px", "s a frame, 1080 lines"]
    return _lines([*head, "peak MiB, 1080 lines", "samples, time of training"], rows)


def _trained(found: dict[str, Any]) -> str:
    if "samples" not in found:
        return ""
    told = f"{found['samples']:,} at {found['image_size']} px"
    if "processor_seconds" in found:
        return f"{told}, {found['processor_seconds'] / 60:.0f} min of processor time"
    return f"{told}, {found['trained_seconds'] / 60:.0f} min on the wall"


def curve_table() -> str:
    """fMSE ratios on dev-two after 1/4, 1/2 and all of the samples."""
    rows = [
        [row.title, *(f"{ratio:.3f}" for ratio in found["curve"].values())]
        for row, found in scored()
        if len(found["curve"]) == 3 and row.group != "time"
    ]
    return _lines(["method", "1/4", "1/2", "all"], rows) if rows else "No row has been trained."


def _pairs(to: str) -> list[dict[str, Any]]:
    """The differences to a row."""
    return [pair for pair in result()["paired"] if pair["to"] == to]


def beneath_table() -> str:
    """Each row less the one that it stands on, by colors alone; bold where the interval leaves 0
    out."""
    titles = {row.name: named(row, found) for row, found in scored()}
    rows = []
    for name, to in BENEATH.items():
        own = {pair["data"]: pair for pair in _pairs(to) if pair["row"] == name and pair["colors"]}
        if own:
            rows.append([titles[name], titles[to], *(_difference(own.get(data)) for data in SETS)])
    return _lines(["method", "less", *HEADS], rows) if rows else "No such row has been scored."


def paired_table() -> str:
    """Each row's ratio less that of VHMAE with transforms; bold where the interval leaves 0 out."""
    pairs = _pairs(REFERENCE)
    titles = {row.name: named(row, found) for row, found in scored()}
    rows = []
    for name in dict.fromkeys(pair["row"] for pair in pairs):
        for colors in (False, True):
            own = {p["data"]: p for p in pairs if p["row"] == name and p["colors"] == colors}
            if own:
                label = titles[name] + (", colors alone" if colors else "")
                rows.append([label, *(_difference(own.get(data)) for data in SETS)])
    if not rows:
        return "VHMAE with transforms has not been scored yet: there is nothing to pair with."
    return _lines(["method", *HEADS], rows)


def _difference(pair: dict[str, Any] | None) -> str:
    if pair is None:
        return ""
    told = pair["ratio_difference"]
    low, high = told["ci95"]
    mark = "**" if _sure(pair) else ""
    return f"{mark}{told['mean']:+.3f}{mark} [{low:+.2f}, {high:+.2f}]"


def _sure(pair: dict[str, Any]) -> bool:
    """Whether a difference is ground for a claim."""
    low, high = pair["ratio_difference"]["ci95"]
    enough = pair["videos"] >= LEAST_VIDEOS and pair["data"] not in REAL_LIGHT
    return (low > 0.0 or high < 0.0) and enough


def tried_table() -> str:
    """What classical methods leave on dev-two by how far they go; bold what is taken."""
    rows, head = [], ["method"]
    for row, found in scored():
        tried = {float(mix): ratio for mix, ratio in found.get("tried", {}).items()}
        if tried:
            head = ["method", *(f"{mix:g}" for mix in tried)]
            told = [f"{ratio:.3f}" for ratio in tried.values()]
            marks = ["**" if mix == found["mix"] else "" for mix in tried]
            rows.append([row.title, *(m + one + m for m, one in zip(marks, told, strict=True))])
    return _lines(head, rows) if rows else "No classical row has been scored."


def ahead_table() -> str:
    """By colors alone: what is better and what is worse than VHMAE with transforms at equal terms,
    where the interval of the difference leaves zero out."""
    titles = {row.name: named(row, found) for row, found in scored() if row.group in EQUAL_TERMS}
    rows = []
    for data in (name for name in SETS if name not in REAL_LIGHT):
        cells: dict[bool, list[str]] = {True: [], False: []}
        for pair in _pairs(REFERENCE):
            if pair["data"] == data and pair["colors"] and pair["row"] in titles and _sure(pair):
                mean = pair["ratio_difference"]["mean"]
                cells[mean < 0.0].append(f"{titles[pair['row']]} ({mean:+.2f})")
        rows.append([data, *("; ".join(cells[ahead]) or "none" for ahead in (True, False))])
    return _lines(["set", "surely ahead of VHMAE with transforms", "surely behind it"], rows)


def packaged_line() -> str:
    """Which rows leave less than the packaged weights, by their colors alone."""
    found = {row.name: one for row, one in scored()}
    if PACKAGED not in found:
        return "The packaged weights have not been scored yet."
    terms = [(row.name, named(row, one)) for row, one in scored() if row.group in EQUAL_TERMS]
    told = _less_than_packaged(found, dict(terms))
    return (
        "Rows that leave less than the packaged weights, bold where the interval of the difference "
        f"leaves zero out: {'; '.join(told)}."
        if told
        else "No row leaves less than the packaged weights on any set."
    )


def _less_than_packaged(found: dict[str, dict[str, Any]], titles: dict[str, str]) -> list[str]:
    """By set: which of some rows leave less than the packaged weights, and how much."""
    sure = {
        (pair["row"], pair["data"]) for pair in _pairs(PACKAGED) if pair["colors"] and _sure(pair)
    }
    told = []
    for data, head in zip(SETS, HEADS, strict=True):
        ours = left(found[PACKAGED]["colors"][data])[0]
        less = []
        for name, title in titles.items():
            ratio = left(found[name]["colors"].get(data, found[name]["sets"][data]))[0]
            mark = "**" if (name, data) in sure else ""
            if ratio < ours:
                less.append(f"{mark}{title}{mark} ({ratio:.3f})")
        if less:
            told.append(f"on {head} ({ours:.3f}): {', '.join(less)}")
    return told


def constant_line() -> str:
    """How the constant map, which is no method on equal terms, stands beside ours."""
    found = {row.name: one for row, one in scored()}
    if "constant" not in found:
        return ""
    told = (
        "The constant map stands apart: it was fitted to training composites of the set's own kind "
        "(one look on val-one, two on the others), so that it is told what the networks, which "
        "learned from all kinds at once, must see; and it looks at no picture."
    )
    ahead = [
        f"{pair['data']} ({pair['ratio_difference']['mean']:+.2f})"
        for pair in _pairs(REFERENCE)
        if pair["row"] == "constant" and pair["colors"] and _sure(pair)
        if pair["ratio_difference"]["mean"] < 0.0
    ]
    if ahead:
        told += f" It is surely ahead of VHMAE with transforms on {', '.join(ahead)}."
    for pair in _pairs(PACKAGED):
        gap = pair["ratio_difference"]["mean"]
        if pair["row"] == "constant" and pair["colors"] and gap < 0.0:
            less = f"{_difference(pair)} of the packaged weights' ratio"
            doubt = "" if _sure(pair) else ", which cannot be told from nothing"
            told += f" On {pair['data']} it leaves {less}{doubt}."
    return told


def unpaired_line() -> str:
    """Which rows have no difference to VHMAE with transforms yet."""
    paired = {pair["row"] for pair in _pairs(REFERENCE)}
    absent = [
        named(row, found)
        for row, found in scored()
        if row.group in EQUAL_TERMS and row.name not in {*paired, REFERENCE}
    ]
    return f"Not paired yet: {', '.join(absent)}." if paired and absent else ""


def missing_line() -> str:
    """Which rows of the table have not been scored yet."""
    done = {row.name for row, _ in scored()}
    absent = [row.title for row in ROWS if row.name not in done]
    return f"Not scored yet: {', '.join(absent)}." if absent else "Every row is scored."


SETS_TOLD = {
    "val-one": "one look, in HYouTube's manner, which is the paper's own question",
    "val-two": "two looks",
    "val-camera": "renderings of real cameras",
    "val-large": "the foreground takes 40 to 80 % of the frame",
    "val-real": "real light, two fixed cameras",
}


def _sizes_line() -> str:
    """How many composites the sets have."""
    found = rows_by_name().get("composite")
    if found is None:
        return ""
    told = [
        f"{name} {report['composites']} composites of {report['videos']} videos"
        for name, report in found["sets"].items()
    ]
    limits = [
        f"of {name} the {report['leading']['composites']} composites under "
        f"{report['leading']['below_fmse']:,.0f} fMSE count, as everywhere ([looks](looks.md)), "
        "but for the metrics of the whole set; its regions are those of two fixed cameras, so that "
        "it is an indication and no ground for a claim"
        for name, report in found["sets"].items()
        if "leading" in report
    ]
    return (
        f"Protocol `clean` ([conventions](conventions.md)); {', '.join(told)}; {'; '.join(limits)}."
    )


def _sections() -> list[str]:
    metrics = [
        part
        for name, told in SETS_TOLD.items()
        for part in (f"### {name}: {told}", metric_table(name))
    ]
    parts = [
        missing_line(),
        "## By colors alone",
        "Networks that draw pixels blur at this size, which adds more than half as much again, at "
        "the most, to what their colors leave. So the leading table judges each by its colors: in "
        "each frame, the quadratic map of colors that is nearest to what the method drew inside "
        "the mask takes the place of it. fMSE over that of the untouched composite, its 95 % "
        "interval over videos, and in brackets the share of composites that are worse than "
        "untouched. Under "
        f"{LEAST_VIDEOS} videos no interval is ground for a claim.",
        _sizes_line(),
        ratio_table("colors"),
        old_line(),
        "![fMSE ratios by set](pictures/table1.png)",
        "## As drawn",
        ratio_table("sets"),
        "## Equal processor time",
        "The networks of the table differ in cost by far more than in size. So four of them have "
        "recipes of their own that take as long as VHMAE with transforms takes for its 16,000 "
        "composites, with the course of the rate shrunk to that "
        "(`configs/comparators/*-equal-time.yaml`; how long is reckoned from seconds a step, one "
        "thread each). By colors alone, those that are trained and scored:",
        time_table(),
        "How much more each leaves than the same method after 16,000, and how much more a method "
        "for videos than the network for pictures beneath it, over the same composites and the "
        "same drawn videos; bold: the interval leaves zero out.",
        beneath_table(),
        "## Who is better than whom",
        "Each method's ratio less that of VHMAE with transforms, which was trained on the same "
        "terms, over the same composites and the same drawn videos. Bold: the interval leaves zero "
        "out.",
        paired_table(),
        unpaired_line(),
        "## Where a row is ahead",
        "By colors alone; numbers are differences of ratios, less than zero where the row leaves "
        "less.",
        ahead_table(),
        packaged_line(),
        constant_line(),
        "## How far classical methods go",
        "fMSE ratio on dev-two; bold is what the rows above take. A gain is taken to the power of "
        "that number. The row at .3 was not chosen: it is the gain that earlier figures were made "
        "with.",
        tried_table(),
        "## Every metric",
        "TL and fRTC are measured for methods that are made for videos, for the composite and for "
        "the target. TL is by DIS optical flow, so that printed figures (FlowNet2) do not compare; "
        "blur lowers it, also below the target's own, so that it says nothing by itself of methods "
        "that draw pixels. The pictures of val-real are single: there is no time to judge, and "
        "CO2Net has no neighbors. All composites count here.",
        *metrics,
        "## Does it look at the background?",
        "val-two, and the same foregrounds before another video's background "
        "([one-look.md](one-look.md)): what reads the background must get worse.",
        swapped_table(),
        "## Curves of learning",
        "fMSE ratio on dev-two, as drawn, after a quarter, half and all of what each row learns "
        "from.",
        curve_table(),
        "## Cost",
        "One thread of the CPU; 1080 lines from frames in memory to frames in memory, with results "
        "carried up: one call each, on two frames of noise, so that a third more or less says "
        "nothing. The compared networks harmonize in fp32, our rows in bf16 where the processor "
        "has it, as here, which costs less, up to half. The peak is that "
        "of the whole process, Python and its libraries among it. Frames of 128 pixels are the "
        "size that the rows were trained at, but for the packaged weights. Where no processor time "
        "of training is told, it is time on the wall, on a machine with other work on it.",
        cost_table(),
    ]
    return [part for part in parts if part]


def table1_blocks() -> dict[str, str]:
    """All of the page that rests on results; one sentence where there are none."""
    if not (RESULTS / "table1.json").exists():
        return {"table1": "No row has been scored yet; the commands above do it."}
    return {"table1": "\n\n".join(_sections())}
