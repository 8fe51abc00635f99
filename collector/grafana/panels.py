"""The kinds of panels that the dashboard has: a number, lines, a heatmap, a table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from grafana_foundation_sdk.builders import common, dashboard, heatmap, prometheus, stat, table, timeseries
from grafana_foundation_sdk.models.common import (
    GraphDrawStyle,
    HeatmapCellLayout,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DataSourceRef,
    DataTransformerConfig,
    DynamicConfigValue,
    Threshold,
    ThresholdsMode,
)
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from collector.grafana.expressions import TARGET, Query

__all__ = ["CURSOR", "SOURCE", "heat", "lines", "number", "rows"]

Panel = Any
SOURCE: Final = DataSourceRef(type_val="prometheus", uid="${datasource}")
# A line under the pointer in every panel at once: what happened at the same time is seen to.
CURSOR: Final = DashboardCursorSync.CROSSHAIR


def number(
    title: str, description: str, query: Query, unit: str, *, width: int = 3, bad: float | None = None, none: str = "0"
) -> Panel:
    """The latest value, red from `bad` on; `none` is shown where there is no value."""
    steps = [Threshold(value=None, color="green" if bad is not None else "text")]
    if bad is not None:
        steps.append(Threshold(value=bad, color="red"))
    panel = stat.Panel().reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"])).no_value(none)
    panel.thresholds(dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps))
    return _made(panel, title, description, [query], unit, width, height=4)


def lines(
    title: str,
    description: str,
    queries: Iterable[Query],
    unit: str,
    *,
    width: int = 8,
    stacked: bool = False,
    highest: float | None = None,
) -> Panel:
    """Values over time, from zero up; a target is dashed and red."""
    legend = common.VizLegendOptions().display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM)
    tooltip = common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING)
    panel = timeseries.Panel().legend(legend.show_legend(True)).tooltip(tooltip)
    panel.min(0).show_points(VisibilityMode.AUTO).line_width(1).fill_opacity(8)
    if highest is not None:
        panel.axis_soft_max(highest)
    if stacked:
        panel.draw_style(GraphDrawStyle.BARS).fill_opacity(70)
        panel.stacking(common.StackingConfig().mode(StackingMode.NORMAL).group("A"))
    red = {"mode": "fixed", "fixedColor": "red"}
    dashed = {"fill": "dash", "dash": [8, 8]}
    properties = {"color": red, "custom.lineStyle": dashed, "custom.fillOpacity": 0}
    panel.override_by_name(TARGET, [DynamicConfigValue(id_val=key, value=value) for key, value in properties.items()])
    return _made(panel, title, description, queries, unit, width)


def heat(title: str, description: str, buckets: Query, *, width: int = 8) -> Panel:
    """How many were how long, over time; `buckets` is a histogram's increase by `le`, in seconds."""
    panel = heatmap.Panel().calculate(False).cell_gap(1)
    panel.color(heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Oranges").steps(64))
    panel.rows_frame(heatmap.RowsHeatmapOptions().layout(HeatmapCellLayout.AUTO))
    panel.y_axis(heatmap.YAxisConfig().unit("s")).exemplars_color("rgba(50,116,217,0.9)")
    panel.show_tooltip().show_y_histogram()
    query = _query(buckets, "A").format(PromQueryFormat.HEATMAP)
    return _described(panel, title, description, width, 8).with_target(query)


def rows(
    title: str, description: str, query: Query, columns: dict[str, str], unit: str = "short", *, width: int = 8
) -> Panel:
    """A table of the labels in `columns` (label to heading) and the value, computed over the time shown."""
    kept = DataTransformerConfig(id_val="filterFieldsByName", options={"include": {"names": [*columns, "Value"]}})
    named = DataTransformerConfig(
        id_val="organize",
        options={
            "renameByName": columns,
            "indexByName": {label: index for index, label in enumerate([*columns, "Value"])},
        },
    )
    panel = table.Panel().show_header(True).unit(unit).with_transformation(kept).with_transformation(named)
    instant = _query(query, "A").format(PromQueryFormat.TABLE).instant()
    return _described(panel, title, description, width, 8).with_target(instant)


def _made(
    panel: Panel, title: str, description: str, queries: Iterable[Query], unit: str, width: int, height: int = 8
) -> Panel:
    _described(panel, title, description, width, height).unit(unit)
    for letter, query in zip("ABCDEFGH", queries, strict=False):
        panel.with_target(_query(query, letter))
    return panel


def _described(panel: Panel, title: str, description: str, width: int, height: int) -> Panel:
    return panel.title(title).description(description).datasource(SOURCE).span(width).height(height)


def _query(query: Query, letter: str) -> prometheus.Dataquery:
    made = prometheus.Dataquery().expr(query.expression).legend_format(query.legend).ref_id(letter)
    return made.datasource(SOURCE).range().exemplar(query.exemplars)
