"""Charts as SVG for the page to embed: colours and fonts come from the page's own style sheet."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

import pygal
from markupsafe import Markup
from pygal.etree import etree

# pygal hooks into the import system, for plug-ins that are not used here, in a way that Python warns of.
sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__name__ != "PluginImportFixer"]


def bars(
    labels: Sequence[str],
    series: Mapping[str, Sequence[Decimal]],
    *,
    title: str,
    format_value: Callable[[Decimal], str],
    format_axis: Callable[[Decimal], str],
) -> Markup:
    """Grouped bars.

    :param labels: one for each group, along the x axis.
    :param series: by name, a value for each label.
    :param title: what the chart shows, for people who do not see it.
    :param format_value: for the text shown over a bar that is pointed at.
    :param format_axis: for the y axis.
    """
    chart = pygal.Bar(
        js=[],
        css=[],
        width=960,
        height=300,
        margin=4,
        margin_top=12,
        spacing=14,
        rounded_bars=3,
        show_legend=False,
        max_scale=6,
        min_scale=4,
        value_formatter=lambda value: format_axis(Decimal(str(value))),
        truncate_label=-1,
        x_labels=labels,
        no_data_text="No invoices yet",
    )
    for name, values in series.items():
        chart.add(name, [float(value) for value in values])
    svg = chart.render_tree()

    # Leave the drawing, drop the scripts, styles and empty tooltips: the page allows no inline ones.
    for parent in list(svg.iter("*")):
        for child in list(parent):
            is_element = isinstance(child.tag, str)
            if not is_element or child.tag in ("defs", "title") or "overlay" in child.get("class", ""):
                parent.remove(child)
    for index, (name, values) in enumerate(series.items()):
        drawn = svg.findall(f".//g[@class='series serie-{index} color-{index}']//g[@class='bar']")
        for label, value, bar in zip(labels, values, drawn, strict=True):
            for description in bar.findall("desc"):
                bar.remove(description)
            etree.SubElement(bar, "title").text = f"{label}, {name}: {format_value(value)}"
    svg.set("role", "img")
    svg.set("aria-label", title)
    svg.set("class", "chart")
    return Markup(etree.tostring(svg, encoding="unicode"))  # noqa: S704 - built from escaped nodes
