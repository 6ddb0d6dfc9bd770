# SPDX-License-Identifier: Apache-2.0
"""hl_report.py - results of the phases as a table, a page with figures, JSON

A phase is a dict: title, note, samples_us (lost ones infinite), never_sent,
work (loops a second), moved, and events and stretches where hostd decided.
"""
import html
import io
import json
import math
import os

from hl_lab import quantile

PARTS = (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999))
COLORS = ("#4c78a8", "#e45756", "#f2a33a", "#2a9d5c", "#8e6bbf")

PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
body {{ font: 16px/1.5 sans-serif; max-width: 60em; margin: 2em auto;
        padding: 0 1em; color: #222; }}
table {{ border-collapse: collapse; }}
th, td {{ padding: .3em .9em; border-bottom: 1px solid #ccc;
          text-align: right; }}
th:first-child, td:first-child {{ text-align: left; }}
svg {{ max-width: 100%; height: auto; }}
</style></head><body><h1>{title}</h1>
<p>{intro}</p>
{table}
{figures}
<h2>The phases</h2><dl>{notes}</dl>
<p>{machine}</p>
</body></html>
"""


def summary(phase):
    """What the table shows of a phase."""
    ordered = sorted(phase["samples_us"])
    row = {name: quantile(ordered, part) for name, part in PARTS}
    row["lost"] = sum(map(math.isinf, ordered))
    row["never_sent"] = phase["never_sent"]
    row["samples"] = len(ordered)
    row["work"] = phase["work"]
    row["moved"] = phase["moved"]
    return row


def cells(phases):
    """Head and rows of the table, as text."""
    head = ["phase", "p50", "p99", "p99.9", "lost", "not sent",
            "best-effort work", "cpus moved"]
    rows = []
    for phase in phases:
        row = summary(phase)
        rows.append([phase["title"]] +
                    [f"{row[name]:,.0f} us" for name, _ in PARTS] +
                    [str(row["lost"]), str(row["never_sent"]),
                     f"{row['work']:,.0f}/s", str(row["moved"])])
    return head, rows


def text_table(phases):
    head, rows = cells(phases)
    widths = [max(map(len, column)) for column in zip(head, *rows)]
    lines = []
    for row in [head] + rows:
        first = row[0].ljust(widths[0])
        rest = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
        lines.append("  ".join([first] + rest))
    return "\n".join(lines)


def html_table(phases):
    head, rows = cells(phases)

    def line(row, tag):
        return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>"
                                for cell in row) + "</tr>"

    return "<table>" + line(head, "th") + \
        "".join(line(row, "td") for row in rows) + "</table>"


def to_svg(figure):
    out = io.StringIO()
    figure.savefig(out, format="svg", bbox_inches="tight")
    text = out.getvalue()
    return text[text.index("<svg"):]


def latency_figure(plt, phases):
    """Percentiles over latency, the last ones wide apart: the further right
    a curve ends, the worse its tail. Lost requests: it stops below the top."""
    figure, axes = plt.subplots(figsize=(9, 4.5))
    smallest = 1.0
    for phase, color in zip(phases, COLORS):
        ordered = sorted(phase["samples_us"])
        count = len(ordered)
        finite = [x for x in ordered if not math.isinf(x)]
        above = [1 - i / count for i in range(len(finite))]
        smallest = min(smallest, 1 / max(count, 1))
        axes.step(finite, above, where="post", label=phase["title"],
                  color=color)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_ylim(smallest, 1)
    ticks = [t for t in (0.5, 0.1, 0.01, 0.001, 0.0001) if t >= smallest]
    axes.set_yticks(ticks)
    axes.set_yticklabels([f"{100 * (1 - t):g} %" for t in ticks])
    axes.invert_yaxis()
    axes.minorticks_off()
    axes.xaxis.set_major_formatter(lambda x, _: f"{x:,g}")
    axes.set_xlabel("latency, microseconds, from when a request was due")
    axes.set_ylabel("requests that are faster")
    axes.grid(True, alpha=0.3)
    axes.legend(loc="lower right")
    return to_svg(figure)


def owner_bars(events, cpu, from_ns, to_ns):
    """Who owned a cpu when: (vm, start ns, length ns); nobody is left out.

    An event also says who had the cpu before it: so much is known of the time
    before the first one."""
    mine = sorted((e for e in events if e["cpu"] == cpu),
                  key=lambda e: e["at_ns"])
    turns = [(0, mine[0]["from"])] + [(e["at_ns"], e["vm"]) for e in mine]
    ends = [at_ns for at_ns, _ in turns[1:]] + [to_ns]
    bars = []
    for (at_ns, vm), until_ns in zip(turns, ends):
        start_ns, end_ns = max(at_ns, from_ns), min(until_ns, to_ns)
        if vm and end_ns > start_ns:
            bars.append((vm, start_ns, end_ns - start_ns))
    return bars


def owner_figure(plt, phase, most=200):
    """Owners over the last round of a phase, from before its load came; of
    many moves only the last, for the others would be a blur."""
    to_ns = phase["stretches"][-1][1]
    from_ns = phase["stretches"][-1][0] - 1_500_000_000
    times = sorted(event["at_ns"] for event in phase["events"])
    if len(times) > most:
        from_ns = max(from_ns, times[-most])
    cpus = sorted({event["cpu"] for event in phase["events"]})
    bars = {cpu: owner_bars(phase["events"], cpu, from_ns, to_ns)
            for cpu in cpus}
    names = sorted({vm for rows in bars.values() for vm, _, _ in rows})
    if not names:
        return "<p>Nobody owned a cpu in this time.</p>"
    figure, axes = plt.subplots(figsize=(9, 1 + 0.5 * len(cpus)))
    for y, cpu in enumerate(cpus):
        for name, color in zip(names, COLORS[3:] + COLORS[:3]):
            axes.broken_barh(
                [((start - from_ns) / 1e6, length / 1e6)
                 for vm, start, length in bars[cpu] if vm == name],
                (y - 0.4, 0.8), color=color, label=name if not y else None)
    axes.set_yticks(range(len(cpus)))
    axes.set_yticklabels([f"cpu {cpu}" for cpu in cpus])
    axes.set_xlim(0, (to_ns - from_ns) / 1e6)
    axes.set_xlabel("milliseconds; blank: nobody owns it")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncol=len(names))
    return to_svg(figure)


def figures(phases):
    try:
        import matplotlib
    except ImportError:
        return "<p>No figures: python3-matplotlib is not installed.</p>"
    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "heighliner"
    import matplotlib.pyplot as plt
    parts = ["<h2>Latency</h2>" + latency_figure(plt, phases)]
    for phase in phases:
        if phase["events"]:
            parts.append("<h2>Owners of the cpus, " +
                         html.escape(phase["title"]) + "</h2>" +
                         owner_figure(plt, phase))
    plt.close("all")
    return "\n".join(parts)


def give_back(*paths):
    """To the user who called sudo, who must be able to clean up."""
    if "SUDO_UID" in os.environ:
        for path in paths:
            os.chown(path, int(os.environ["SUDO_UID"]),
                     int(os.environ["SUDO_GID"]))


def write(directory, title, intro, machine, phases):
    """index.html and result.json. Return: path of the page."""
    directory.mkdir(parents=True, exist_ok=True)
    notes = "".join(f"<dt><b>{html.escape(phase['title'])}</b></dt>"
                    f"<dd>{html.escape(phase['note'])}</dd>"
                    for phase in phases)
    page = directory / "index.html"
    page.write_text(PAGE.format(
        title=html.escape(title), intro=html.escape(intro), notes=notes,
        machine=html.escape(machine), table=html_table(phases),
        figures=figures(phases)), encoding="utf-8")
    result = {"title": title, "machine": machine, "phases": {
        phase["title"]: summary(phase) | {"rounds": phase["rounds"]}
        for phase in phases}}
    text = json.dumps(result, indent=1).replace("Infinity", "null")
    data = directory / "result.json"
    data.write_text(text + "\n", encoding="utf-8")
    give_back(directory, page, data)
    return page
