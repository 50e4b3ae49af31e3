"""The figures as a table in Markdown and as panels over the hours."""

from __future__ import annotations

from pathlib import Path

Row = dict[str, float]

# Heading and format by the name of the figure.
COLUMNS = {
    "publish": ("publishing a file, ms of CPU", "{:.1f}"),
    "is published": ("is all of a file there, ms of CPU", "{:.2f}"),
    "new file": ("a new clip of 2 s, ms of the worker's CPU", "{:.0f}"),
    "done file": ("a file that is done, ms of the worker's CPU", "{:.1f}"),
    "API": ("the same, of the API's CPU", "{:.1f}"),
    "load": ("load, ms a new hour", "{:.0f}"),
    "load CPU": ("the same, ms of CPU", "{:.0f}"),
    "restart": ("restart to the first answer, s", "{:.2f}"),
    "search": ("one search, ms", "{:.1f}"),
    "search CPU": ("the same, ms of CPU", "{:.1f}"),
    "search memory": ("memory of a process that searches, MB", "{:.0f}"),
    "API memory": ("of the API with the Task, MB", "{:.0f}"),
    "worker memory": ("of the worker, MB", "{:.0f}"),
    "submit": ("a request that names all files, ms", "{:.0f}"),
    "waiting": ("Redis a file, waiting, bytes", "{:,.0f}"),
    "ended": ("Redis a file, ended, bytes", "{:,.0f}"),
    "calls": ("round trips to Redis a file", "{:.1f}"),
}
_PANELS = {
    "analysis of a file, ms of CPU": ("new file", "done file", "API", "publish", "is published"),
    "load, ms a new hour": ("load", "load CPU"),
    "search, ms": ("search", "search CPU", "restart"),
    "private memory, MB": ("search memory", "API memory", "worker memory"),
    "Redis a file, bytes": ("waiting", "ended"),
    "round trips to Redis a file": ("calls",),
}
_WIDE = ("analysis of a file, ms of CPU", "search, ms")  # over powers of ten


def table(rows: list[Row]) -> str:
    """A line for each figure, a column for each size."""
    head = " | ".join(f"{row['hours']:,.0f} h, {row['files']:,.0f} files" for row in rows)
    lines = [f"| | {head} |", "| --- |" + " --- |" * len(rows)]
    for name, (heading, shown) in COLUMNS.items():
        lines.append(f"| {heading} | " + " | ".join(shown.format(r[name]) for r in rows) + " |")
    return "\n".join(lines)


def draw(rows: list[Row], words: str, to: Path) -> None:
    """Six panels, of which each has what is measured in one unit."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    # The same file for the same figures, its words as words.
    matplotlib.rcParams |= {"svg.hashsalt": "rushes", "svg.fonttype": "none"}
    figure, panels = pyplot.subplots(2, 3, figsize=(14, 8), layout="constrained")
    figure.suptitle(f"A folder that grows, ten files an hour, {words}", fontsize=9)
    hours = [row["hours"] for row in rows]
    for panel, (title, names) in zip(panels.flat, _PANELS.items(), strict=True):
        for name in names:
            unit = 1000 if name == "restart" else 1
            panel.plot(hours, [unit * row[name] for row in rows], "o-", label=name)
        panel.set(title=title, xlabel="hours of footage", xscale="log")
        if title in _WIDE:
            panel.set_yscale("log")
        else:
            panel.set_ylim(bottom=0)
        panel.grid(alpha=0.3)
        panel.legend()
    figure.savefig(to, metadata={"Date": None})
