// The status page: one HTML document without outside parts. It asks GetStatus itself, with a token that only the browser keeps.
#include "services/gateway/http_server.h"

namespace xundian::gateway {

namespace {

constexpr std::string_view status_html = R"html(<!doctype html>
<html lang="zh"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>巡店 Xundian</title><style>
:root{color-scheme:light dark;--ink:#1b1f24;--soft:#57606a;--line:#d8dee4;--card:#fff;--back:#f6f8fa;--good:#1a7f37;--bad:#b42318}
@media (prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9198a1;--line:#30363d;--card:#161b22;--back:#0d1117;--good:#3fb950;--bad:#ff7b72}}
*{box-sizing:border-box}body{margin:0;background:var(--back);color:var(--ink);
font:15px/1.5 system-ui,"PingFang SC","Microsoft YaHei","Noto Sans CJK SC",sans-serif}
header{display:flex;flex-wrap:wrap;gap:.25rem 1rem;align-items:baseline;padding:1rem;max-width:72rem;margin:auto}
h1{font-size:1.3rem;margin:0}h2{font-size:1rem;margin:0 0 .5rem}.soft{color:var(--soft)}
main{display:grid;gap:1rem;padding:0 1rem 2rem;max-width:72rem;margin:auto;grid-template-columns:repeat(auto-fit,minmax(min(100%,26rem),1fr))}
section,form{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:1rem;min-width:0}
.scroll{overflow-x:auto}table{width:100%;border-collapse:collapse}th,td{text-align:left;padding:.3rem .5rem .3rem 0;border-bottom:1px solid var(--line);
white-space:nowrap}th{font-weight:500;color:var(--soft)}.n{text-align:right;font-variant-numeric:tabular-nums}
.good{color:var(--good)}.bad{color:var(--bad);font-weight:600}meter{width:100%;height:1rem}
input,button{font:inherit;padding:.55rem .7rem;border-radius:6px;border:1px solid var(--line);background:var(--card);color:inherit;min-height:44px}
input{width:100%;margin:.5rem 0}button{cursor:pointer}form{max-width:30rem;margin:2rem auto}[hidden]{display:none!important}
</style></head><body>
<header><h1>巡店 Xundian</h1><span id="health" role="status" aria-live="polite"></span><span id="when" class="soft"></span></header>
<form id="login" hidden><h2>访问令牌 · Access token</h2>
<label for="token" class="soft">在服务器的 admin.token 文件里；只保存在本标签页。<br>It is in the file admin.token of the home; this tab alone keeps it.</label>
<input id="token" type="password" autocomplete="off" spellcheck="false" required><button>进入 · Enter</button><p id="refused" class="bad" role="alert"></p></form>
<main id="main" hidden>
<section><h2>服务 · Services</h2><div class="scroll"><table><thead><tr><th>名称 Name</th><th>状态 State</th><th class="n">积压 Lag</th><th>启动 Started</th></tr></thead>
<tbody id="services"></tbody></table></div></section>
<section><h2>日志与磁盘 · Journal and disk</h2><div id="journal"></div></section>
<section><h2>数据到达 · Feeds</h2><div id="feeds" class="scroll"></div></section>
<section><h2>导入 · Imports</h2><div id="imports" class="scroll"></div></section>
</main>
<script>
"use strict";
const $ = id => document.getElementById(id), refresh_ms = 3000, keep = "xundian.token";
if (location.hash.startsWith("#token=")) {
  sessionStorage.setItem(keep, decodeURIComponent(location.hash.slice(7)));
  history.replaceState(null, "", location.pathname);
}
const make = (name, text, kind) => { const e = document.createElement(name); if (text !== undefined) e.textContent = text; if (kind) e.className = kind; return e; };
const row = (...cells) => { const r = make("tr"); for (const [text, kind] of cells) r.append(make("td", text, kind)); return r; };
const number = n => Number(n || 0).toLocaleString();
const time = t => t ? new Date(t).toLocaleString() : "–";
const bytes = n => { let v = Number(n || 0), u = 0; while (v >= 1024 && u < 5) { v /= 1024; u++; } return v.toFixed(u && v < 100 ? 1 : 0) + " " + ["B","KB","MB","GB","TB","PB"][u]; };
const fill = (id, heads, rows, none) => {
  if (!rows.length) return $(id).replaceChildren(make("p", none, "soft"));
  const table = make("table"), top = make("tr"), body = make("tbody"), head = make("thead");
  for (const [text, kind] of heads) top.append(make("th", text, kind));
  head.append(top); body.append(...rows); table.append(head, body); $(id).replaceChildren(table);
};
function show(s) {
  $("health").textContent = s.healthy ? "● 正常 All is well" : "● 异常 Not well"; $("health").className = s.healthy ? "good" : "bad";
  $("when").textContent = new Date().toLocaleTimeString();
  $("services").replaceChildren(...(s.services || []).map(x => row([x.name + (x.instance ? "." + x.instance : "")],
    [x.healthy ? "正常 up" : (x.problem || "异常 down"), x.healthy ? "good" : "bad"], [number(x.lagFacts), "n"], [time(x.started)])));
  const j = s.journal, box = $("journal");
  if (!j) box.replaceChildren(make("p", "总线没有应答 No bus answers", "bad"));
  else {
    const table = make("table"), body = make("tbody"), used = Number(j.diskBytes || 0) - Number(j.diskFreeBytes || 0);
    body.append(row(["引擎 Engine"], [j.engine, "n"]), row(["事实 Facts"], [number(j.facts), "n"]), row(["大小 Size"], [bytes(j.bytes), "n"]),
      row(["落盘 Sync p50 / p99"], [number(j.syncP50Us) + " / " + number(j.syncP99Us) + " µs", "n"]), row(["时钟 Clock"], [j.clock, "n"]),
      row(["磁盘可用 Disk free"], [bytes(j.diskFreeBytes) + " / " + bytes(j.diskBytes), "n"]));
    const meter = make("meter"); meter.max = Number(j.diskBytes || 1); meter.value = used; meter.high = meter.max * .8; meter.title = "磁盘 Disk";
    meter.setAttribute("aria-label", "磁盘已用 Disk used"); table.append(body); box.replaceChildren(table, meter);
  }
  fill("feeds", [["数据源 Feed"], ["店铺 Store"], ["到达 Arrived"], ["行 Rows", "n"], ["拒收 Rejected", "n"]],
    (s.feeds || []).map(f => row([f.feed], [f.store || "–"], [f.arrived ? time(f.arrived) : "未到 missing", f.arrived ? "" : "bad"], [number(f.rows), "n"],
    [number(f.rejected), Number(f.rejected) ? "n bad" : "n"])), "还没有数据源。导入一个文件就会出现：xundian import 文件 · No feeds yet. Import a file: xundian import FILE");
  fill("imports", [["编号 Id"], ["文件 File"], ["格式 Format"], ["行 Rows", "n"], ["事实 Facts", "n"], ["拒收 Rejected", "n"]],
    (s.imports || []).map(i => row([i.importId], [i.file + (i.undone ? "（已撤销 undone）" : "")], [i.format], [number(i.rows), "n"], [number(i.facts), "n"],
    [number(i.rejected), Number(i.rejected) ? "n bad" : "n"])), "还没有导入。 No imports yet.");
}
function ask_token(why) { sessionStorage.removeItem(keep); $("main").hidden = true; $("login").hidden = false; $("refused").textContent = why; $("health").textContent = ""; $("token").focus(); }
let timer = 0;
async function turn() {
  clearTimeout(timer);
  const token = sessionStorage.getItem(keep);
  if (!token) return ask_token("");
  try {
    const answer = await fetch("/xundian.gateway.v1.GatewayService/GetStatus", { method: "POST", cache: "no-store", body: "{}",
      headers: { "Content-Type": "application/json", "Connect-Protocol-Version": "1", "Authorization": "Bearer " + token } });
    const told = await answer.json();
    if (answer.status === 401 || answer.status === 403) return ask_token(told.message);
    if (!answer.ok) throw new Error(told.message);
    $("login").hidden = true; $("main").hidden = false; show(told);
  } catch (error) { $("health").textContent = "● 连不上 Cannot reach the gateway: " + error.message; $("health").className = "bad"; }
  timer = setTimeout(turn, document.hidden ? 10 * refresh_ms : refresh_ms);
}
$("login").addEventListener("submit", e => { e.preventDefault(); sessionStorage.setItem(keep, $("token").value.trim()); $("token").value = ""; turn(); });
document.addEventListener("visibilitychange", () => { if (!document.hidden) turn(); });
turn();
</script></body></html>
)html";

}  // namespace

std::string_view status_page() { return status_html; }

}  // namespace xundian::gateway
