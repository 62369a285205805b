"""The page's style sheet."""

STYLE = """
:root {
  color-scheme: light dark;
  --page: #fbfbf9; --panel: #ffffff; --ink: #1c2026; --soft: #5c646f; --rule: #e2e3df; --head: #f3f3f0;
  --link: #1f5fae; --note: #fdf5e2; --note-rule: #e3c98a; --bad: #b3261e; --good: #22743f; --mark: #ffe3a3;
  --check-a: #f1f1ef; --check-b: #e3e3e0;
  --s0: #3b73b9; --s1: #d2762b; --s2: #3f9a6b; --s3: #8a62b5; --s4: #c2527c; --s5: #5aa5b8; --s6: #a08a3c;
  --rest: #a9adb3;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #16181c; --panel: #1e2126; --ink: #e4e6ea; --soft: #9aa2ad; --rule: #33373e; --head: #25292f;
    --link: #8ab6ef; --note: #2e2818; --note-rule: #6d5a2c; --bad: #ff938a; --good: #7fd19b; --mark: #5f4a14;
    --check-a: #d3d4d4; --check-b: #c3c4c4;
    --s0: #6fa3e3; --s1: #eb9a55; --s2: #63bd8d; --s3: #b08fd8; --s4: #e07fa4; --s5: #7cc4d6; --s6: #c4ad5c;
    --rest: #6c727b;
  }
}
* { box-sizing: border-box; }
html { scroll-behavior: smooth; scroll-padding-top: 4rem; -webkit-text-size-adjust: 100%; }
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", sans-serif;
}
.width { max-width: 1320px; margin: 0 auto; padding: 0 clamp(14px, 3vw, 36px); }
.top { padding-top: 2.2rem; padding-bottom: 1rem; }
h1 {
  font-size: 1.7rem; line-height: 1.2; margin: 0 0 .35rem; font-weight: 650; letter-spacing: -.01em;
  overflow-wrap: anywhere;
}
h2 { font-size: 1.25rem; margin: 0 0 .7rem; font-weight: 650; }
h3 { font-size: 1.02rem; margin: 1.8rem 0 .4rem; font-weight: 650; }
h4 { font-size: .95rem; margin: 0; font-weight: 650; overflow-wrap: anywhere; }
p { margin: .3rem 0 .8rem; max-width: 80ch; }
.lead, .sub, figcaption { color: var(--soft); }
code, pre {
  font: .88em/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace;
  overflow-wrap: anywhere;
}
pre {
  background: var(--head); border: 1px solid var(--rule); border-radius: 6px; padding: .6rem .8rem;
  overflow-x: auto; margin: .4rem 0 1rem;
}
nav { position: sticky; top: 0; z-index: 2; background: var(--page); border-bottom: 1px solid var(--rule); }
nav ul {
  display: flex; gap: 1.3rem; list-style: none; margin: 0 auto; padding-top: .55rem; padding-bottom: .55rem;
  overflow-x: auto;
}
nav a { color: var(--soft); text-decoration: none; white-space: nowrap; }
nav a:hover, nav a:focus-visible { color: var(--link); text-decoration: underline; }
section { padding: 1.9rem 0 1.3rem; border-bottom: 1px solid var(--rule); }
main section:last-child { border-bottom: 0; }
.figures {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(130px, 180px)); gap: .8rem 1.6rem;
  margin: 0 0 1.3rem;
}
.figures dt { color: var(--soft); font-size: .87rem; }
.figures dd {
  margin: 0; font-size: 1.55rem; line-height: 1.25; font-weight: 600; font-variant-numeric: tabular-nums;
}
.figures dd.sub { font-size: .87rem; font-weight: 400; }
.note {
  background: var(--note); border: 1px solid var(--note-rule); border-radius: 6px; padding: .7rem 1rem;
  margin: 0 0 1.2rem;
}
.note ul { margin: 0; padding-left: 1.1rem; } .note p { margin: .4rem 0 0; }
.scroll { overflow-x: auto; margin: .4rem 0 1rem; }
table { border-collapse: collapse; }
th, td {
  text-align: left; vertical-align: top; padding: .32rem 1.1rem .32rem 0;
  border-bottom: 1px solid var(--rule);
}
th:last-child, td:last-child { padding-right: 0; }
thead th { color: var(--soft); font-weight: 500; font-size: .87rem; white-space: nowrap; vertical-align: bottom; }
.num { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td:first-child { min-width: 5.5rem; }
.words td:first-child { overflow-wrap: anywhere; min-width: 7rem; }
.words td:nth-child(3):not(.num) { min-width: 20rem; }
.line { display: block; }
mark { background: var(--mark); color: inherit; padding: 0 .25em; margin: 0 -.25em; border-radius: 3px; }
details { margin: .4rem 0 0; } summary { cursor: pointer; color: var(--link); }
.settings { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1.3rem; margin: .6rem 0 0; }
.settings dt { color: var(--soft); } .settings dd { margin: 0; overflow-wrap: anywhere; }
.cards {
  display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 500px), 1fr)); gap: 1rem;
  margin: .6rem 0 1.4rem;
}
.cards.wide { grid-template-columns: minmax(0, 1fr); }
.cards.small { grid-template-columns: repeat(auto-fill, minmax(min(100%, 220px), 1fr)); align-items: start; }
.card {
  background: var(--panel); border: 1px solid var(--rule); border-radius: 8px; padding: .8rem .9rem .6rem;
  min-width: 0;
}
.facts { color: var(--soft); font-size: .87rem; margin: .1rem 0 .5rem; max-width: none; }
.facts > span { margin-right: .8em; white-space: nowrap; } .facts b { color: var(--ink); font-weight: 600; }
.badge {
  display: inline-block; border: 1px solid currentColor; border-radius: 99px; padding: 0 .6em;
  font-size: .9em; line-height: 1.35;
}
.badge.worst { color: var(--bad); } .badge.best { color: var(--good); }
.swatch {
  display: inline-block; width: .85em; height: .85em; border: 1px solid var(--soft); border-radius: 2px;
  vertical-align: -.08em;
}
.problem { color: var(--bad); overflow-wrap: anywhere; }
.card .scroll { margin: 0; }
.pairs { width: 100%; table-layout: fixed; min-width: calc(var(--columns) * 76px + 52px); }
.pairs th, .pairs td { border: 0; padding: 2px; }
.pairs thead th { font-size: .82rem; text-align: center; }
.pairs .values th { color: var(--ink); font-weight: 600; padding-top: .6rem; }
.pairs .values td { padding-top: .6rem; vertical-align: bottom; }
.pairs tr > :first-child { width: 68px; overflow-wrap: anywhere; }
.pairs tbody th {
  font-weight: 500; font-size: .82rem; color: var(--soft); font-variant-numeric: tabular-nums;
  vertical-align: middle;
}
.pairs .values td { color: var(--ink); font-size: .82rem; text-align: center; font-variant-numeric: tabular-nums; }
.pairs .groups th { border-bottom: 1px solid var(--rule); }
.pairs small { display: block; color: var(--ink); font-size: .97em; }
.pairs img, .look img {
  display: block; width: 100%; height: auto; border-radius: 3px;
  background: repeating-conic-gradient(var(--check-a) 0 25%, var(--check-b) 0 50%) 0 0 / 14px 14px;
}
.look img { background: #d6e2f0; }
.figures-row { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 360px), 1fr)); gap: 1rem; }
figure {
  margin: 0; background: var(--panel); border: 1px solid var(--rule); border-radius: 8px;
  padding: .8rem .8rem .6rem;
}
figcaption { font-size: .87rem; text-align: center; }
.chart { display: block; width: 100%; max-width: 560px; height: auto; margin: 0 auto; }
.chart text { font-size: 11px; fill: var(--soft); font-variant-numeric: tabular-nums; }
.chart .note { fill: var(--ink); }
.chart .grid { stroke: var(--rule); }
.chart .axis { stroke: var(--soft); }
.chart .mark { stroke: var(--ink); stroke-dasharray: 3 3; }
.chart .diagonal { stroke: var(--soft); } .chart .dashed { stroke-dasharray: 4 4; }
.chart .line { fill: none; stroke: var(--c); stroke-width: 2; } .chart .band { fill: var(--c); opacity: .16; }
.chart .fill { fill: var(--c); } .chart .dot { fill: var(--c); fill-opacity: .55; }
.s0 { --c: var(--s0); } .s1 { --c: var(--s1); } .s2 { --c: var(--s2); } .s3 { --c: var(--s3); }
.s4 { --c: var(--s4); } .s5 { --c: var(--s5); } .s6 { --c: var(--s6); } .rest { --c: var(--rest); }
.legend { color: var(--soft); font-size: .87rem; max-width: none; }
.legend span { margin-right: 1.1em; white-space: nowrap; }
.legend i {
  display: inline-block; width: .8em; height: .8em; border-radius: 2px; background: var(--c);
  margin-right: .4em; vertical-align: -.05em;
}
.bar {
  display: flex; width: clamp(120px, 22vw, 300px); height: .8rem; margin-top: .35rem; border-radius: 3px;
  overflow: hidden;
}
.bar span { background: var(--c); }
@media print { nav { display: none; } .card, figure { break-inside: avoid; } }
"""
