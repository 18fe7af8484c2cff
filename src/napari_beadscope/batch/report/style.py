"""How the report looks, on a screen and on paper. Must not know what is in it."""

from __future__ import annotations

STYLE = """
:root {
  --ink: #1d2329; --soft: #5d6772; --line: #dde2e7;
  --good: #2c7a3f; --bad: #b3261e; --wait: #8a5a00; --link: #0b6e99;
  --sans: system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
}
* { box-sizing: border-box }
body {
  font: 15px/1.5 var(--sans); color: var(--ink); background: #fff;
  margin: 0 auto; max-width: 1240px; padding: 28px 24px 60px;
}
h1 { font-size: 26px; margin: 0 0 4px }
h2 { font-size: 19px; margin: 36px 0 10px; padding-top: 14px; border-top: 1px solid var(--line) }
h3 { font-size: 15px; margin: 18px 0 6px }
p { margin: 6px 0 }
.soft { color: var(--soft) }
pre {
  font: 12.5px/1.45 ui-monospace, Consolas, "DejaVu Sans Mono", monospace; white-space: pre-wrap;
  background: #f6f7f9; padding: 10px 12px; overflow: auto; border-radius: 4px; margin: 6px 0;
}
.complete, .done { --c: var(--good) }
.failed, .blocked { --c: var(--bad) }
.incomplete, .running, .pending { --c: var(--wait) }
.badge {
  display: inline-block; padding: 1px 10px; border-radius: 10px; vertical-align: 3px;
  color: #fff; background: var(--c); font-size: 13px;
}
.state { color: var(--c); white-space: nowrap }
.failed.state, .blocked.state { font-weight: 600 }
.tiles { display: flex; flex-wrap: wrap; gap: 10px; margin: 16px 0 }
.tile { border: 1px solid var(--line); border-radius: 6px; padding: 8px 16px; min-width: 112px }
.tile b { display: block; font-size: 22px; line-height: 1.25 }
.tile span { color: var(--soft); font-size: 13px }
table { border-collapse: collapse; font-size: 13.5px; margin: 8px 0 }
th, td {
  text-align: left; padding: 4px 18px 4px 0; border-bottom: 1px solid var(--line);
  vertical-align: top;
}
th { font-weight: 600; color: var(--soft); white-space: nowrap }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
.wide { overflow-x: auto }
.charts { display: flex; flex-wrap: wrap; gap: 14px; margin-bottom: 10px }
svg { max-width: 100%; height: auto; font: 10.5px var(--sans) }
svg text { fill: var(--soft) }
svg .title { fill: var(--ink); font-weight: 600; font-size: 12px }
svg path { fill: none }
.grid { stroke: #eceff2 }
.axis, .tick { stroke: #9aa4ae }
.one { stroke-width: .8; opacity: .6 }
.bad { stroke-width: .8; opacity: .6; stroke: #b3261e; stroke-dasharray: 3 2 }
.median { stroke-width: 2 }
.count { stroke-width: 1.3 }
.legend { font-size: 12.5px; max-width: 380px }
figure { margin: 0 12px 12px 0; display: inline-block }
figcaption { font-size: 12.5px; color: var(--soft) }
img { display: block; max-width: 100% }
.pictures img { width: 280px }
details { margin: 4px 0 }
summary { cursor: pointer; color: var(--soft) }
nav a { margin-right: 16px; color: var(--link); text-decoration: none }
@media print { nav { display: none } h2 { break-after: avoid } svg, figure { break-inside: avoid } }
"""
