"""How a report looks: one style sheet, light and dark, that asks nobody for anything."""

from __future__ import annotations

import base64
import hashlib
from typing import Final

STYLE: Final = """
:root{color-scheme:light dark;--bg:#fff;--soft:#f3f4f6;--text:#16191d;--dim:#565d66;--line:#d9dde2;
--one:#1d5fd1;--two:#a9480a;--three:#0c7a5b;--bad:#b3261e;--good:#0c6b45;--h:29,95,209}
@media (prefers-color-scheme:dark){:root{--bg:#121417;--soft:#1c2025;--text:#e8eaed;--dim:#a3abb5;
--line:#343a42;--one:#7eabff;--two:#f2a965;--three:#5bd0a8;--bad:#ff8f85;--good:#6bd3a0;--h:126,171,255}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--text);font:15px/1.5 system-ui,sans-serif}
main{max-width:860px;margin:0 auto;padding:24px 20px 60px}
h1{font-size:26px;line-height:1.25;margin:0 0 4px}h2{font-size:19px;margin:38px 0 10px}
h3{font-size:15px;margin:0 0 4px}
p{margin:6px 0}.dim,small,.none{color:var(--dim)}small{font-size:12px;font-weight:400}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:10px;margin:20px 0;padding:0}
.tiles li{list-style:none;background:var(--soft);border-radius:8px;padding:10px 12px}
.tiles b{display:block;font-size:21px;line-height:1.3}
.card{border:1px solid var(--line);border-left:4px solid var(--one);border-radius:6px;
padding:12px 14px;margin:12px 0}
.card ul{margin:6px 0;padding-left:20px}
.bad{color:var(--bad)}.good{color:var(--good)}
code{font:13px ui-monospace,monospace;background:var(--soft);padding:1px 4px;border-radius:3px}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:13.5px;margin:8px 0}
th,td{text-align:right;padding:4px 8px;border-bottom:1px solid var(--line);white-space:nowrap}
th:first-child,td:first-child{text-align:left}td.text,th.text{text-align:left;white-space:normal}
thead th{color:var(--dim);font-weight:600}
figure{margin:18px 0}figcaption{font-weight:600;font-size:14px;margin-bottom:4px}
svg{width:100%;height:auto;display:block}
.legend{display:inline-flex;flex-wrap:wrap;gap:12px;
margin:0 0 0 12px;padding:0;font-weight:400;font-size:12.5px}
.legend li{list-style:none}.legend i{display:inline-block;width:12px;height:3px;margin-right:5px;
vertical-align:middle;background:currentColor}
.legend i.one{color:var(--one)}.legend i.two{color:var(--two)}.legend i.three{color:var(--three)}
.legend i.bad{color:var(--bad)}
.line{fill:none;stroke-width:1.6;stroke-linejoin:round}
.line.one{stroke:var(--one)}.line.two{stroke:var(--two)}.line.three{stroke:var(--three)}.line.bad{stroke:var(--bad)}
.area.three{fill:var(--three);opacity:.18}
.bar.one{fill:var(--one)}.bar.bad{fill:var(--bad)}.mark{stroke:var(--bad);stroke-dasharray:4 3}
.grid{stroke:var(--line);stroke-width:.6}.tick{fill:var(--dim);font-size:11px}
.tip{fill:transparent}.tip:hover{fill:var(--text);opacity:.08}
.empty{fill:var(--soft)}
.heat0{fill:rgba(var(--h),.06)}.heat1{fill:rgba(var(--h),.18)}.heat2{fill:rgba(var(--h),.3)}
.heat3{fill:rgba(var(--h),.43)}.heat4{fill:rgba(var(--h),.56)}.heat5{fill:rgba(var(--h),.7)}
.heat6{fill:rgba(var(--h),.84)}.heat7{fill:rgba(var(--h),1)}
@media print{main{max-width:none}.card,figure,table{break-inside:avoid}}
"""

_HASH: Final = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()

POLICY: Final = f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'"
"""What the page may do: show itself, in its own style. It has no script, and fetches nothing."""
