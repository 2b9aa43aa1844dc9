"""What ``map.html`` looks like and does: a canvas, a key, a search, and a card for the item under the pointer."""

__all__ = ["PAGE"]

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>Map of the codes</title>
<style>
:root{color-scheme:light dark;--page:#f6f7f9;--card:#fff;--ink:#16202b;--soft:#5b6875;--rule:#e3e7ec;--model:#0072b2}
@media (prefers-color-scheme:dark){:root{--page:#0f141a;--card:#171e26;--ink:#e8edf2;--soft:#9aa8b5;--rule:#28323d}}
*{box-sizing:border-box}
body{margin:0;height:100vh;display:flex;flex-direction:column;background:var(--page);color:var(--ink);
font:15px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,"Liberation Sans",Arial,sans-serif}
header{display:flex;flex-wrap:wrap;align-items:baseline;gap:4px 18px;padding:16px 24px 10px}
h1{margin:0;font-size:19px;letter-spacing:-.01em}
header span{color:var(--soft);font-size:13.5px}
input{margin-left:auto;padding:6px 12px;border:1px solid var(--rule);border-radius:8px;background:var(--card);
color:inherit;font:inherit;min-width:210px}
#key{display:flex;flex-wrap:wrap;gap:4px 6px;padding:0 24px 10px}
#key button{display:flex;align-items:center;gap:6px;padding:2px 10px;border:1px solid var(--rule);border-radius:99px;
background:var(--card);color:inherit;font:inherit;font-size:13px;cursor:pointer}
#key button[aria-pressed=false]{opacity:.4}
#key i{width:9px;height:9px;border-radius:50%}
main{position:relative;flex:1;min-height:0;margin:0 24px;background:var(--card);border:1px solid var(--rule);
border-radius:12px;overflow:hidden}
#map{position:absolute;inset:0;width:100%;height:100%;touch-action:none;cursor:crosshair}
#item{position:absolute;display:none;max-width:340px;padding:12px 14px;background:var(--card);color:var(--ink);
border:1px solid var(--rule);border-radius:10px;box-shadow:0 6px 24px #0003;font-size:13.5px;pointer-events:none}
#item b{display:block;overflow-wrap:anywhere}
#item em{font-style:normal;color:var(--soft)}
#item canvas{display:block;margin:8px 0 2px;max-width:100%;image-rendering:pixelated;border-radius:4px}
#item table{border-collapse:collapse;margin-top:6px}
#item th{font-weight:400;text-align:left;color:var(--soft);padding:1px 12px 1px 0;vertical-align:top}
#item td{font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
footer{padding:8px 24px 14px;color:var(--soft);font-size:13px}
</style></head><body>
<header><h1></h1><span id="about"></span><input id="find" type="search" aria-label="find an item"></header>
<div id="key"></div>
<main><canvas id="map" tabindex="0"></canvas><div id="item" role="status"></div></main>
<footer></footer>
<script type="application/json" id="facts">__FACTS__</script>
<script>
"use strict";
const facts = JSON.parse(document.getElementById("facts").textContent), n = facts.ids.length;
const by = id => document.getElementById(id), map = by("map"), card = by("item"), pen = map.getContext("2d");
const STEPS = 65535, off = new Set(), sheet = new Image();
let width = 1, height = 1, zoom = 1, left = 0, top_ = 0, hover = -1, wanted = "", drag = null, queued = false;
const group = i => facts.group.length ? facts.group[i] : 0;
const tint = g => facts.colours[Math.min(g, facts.colours.length - 1)];
const shown = i => !off.has(group(i)) && (!wanted || facts.ids[i].toLowerCase().includes(wanted));
const px = i => left + zoom * (28 + facts.x[i] / STEPS * (width - 56));
const py = i => top_ + zoom * (28 + (1 - facts.y[i] / STEPS) * (height - 56));
const radius = () => Math.max(1.6, Math.min(4.5, 160 / Math.sqrt(n))) * Math.min(2.2, Math.sqrt(zoom));

function draw() {
  queued = false;
  const scale = window.devicePixelRatio || 1, r = radius();
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.clearRect(0, 0, width, height);
  for (let g = Math.max(1, facts.names.length) - 1; g >= 0; g--) {
    if (off.has(g)) continue;
    pen.fillStyle = tint(g);
    pen.globalAlpha = 0.72;
    pen.beginPath();
    for (let i = 0; i < n; i++) {
      if (group(i) !== g || !shown(i)) continue;
      const x = px(i), y = py(i);
      if (x < -r || y < -r || x > width + r || y > height + r) continue;
      pen.moveTo(x + r, y);
      pen.arc(x, y, r, 0, 6.2832);
    }
    pen.fill();
  }
  pen.globalAlpha = 1;
  if (hover >= 0) {
    pen.lineWidth = 2;
    pen.strokeStyle = getComputedStyle(document.body).color;
    pen.beginPath();
    pen.arc(px(hover), py(hover), r + 3, 0, 6.2832);
    pen.stroke();
  }
}
function again() { if (!queued) { queued = true; requestAnimationFrame(draw); } }
function resize() {
  const box = map.getBoundingClientRect(), scale = window.devicePixelRatio || 1;
  width = box.width; height = box.height;
  map.width = Math.round(width * scale); map.height = Math.round(height * scale);
  draw();
}
function nearest(x, y) {
  let best = -1, least = 196;
  for (let i = 0; i < n; i++) {
    const dx = px(i) - x, dy = py(i) - y, d = dx * dx + dy * dy;
    if (d < least && shown(i)) { least = d; best = i; }
  }
  return best;
}
function element(tag, text) {
  const made = document.createElement(tag);
  made.textContent = text;
  return made;
}
function picture(i) {
  const s = facts.sheet, made = document.createElement("canvas");
  const grow = Math.max(1, Math.floor(140 / Math.max(s.width, s.height)));
  made.width = s.width; made.height = s.height; made.style.width = s.width * grow + "px";
  made.getContext("2d").drawImage(sheet, i % s.across * s.width, Math.floor(i / s.across) * s.height,
    s.width, s.height, 0, 0, s.width, s.height);
  return made;
}
function show(i, x, y) {
  hover = i;
  card.style.display = i < 0 ? "none" : "block";
  if (i >= 0) {
    card.replaceChildren(element("b", facts.idName + " " + facts.ids[i]));
    if (facts.names.length) card.append(element("em", facts.names[group(i)]));
    if (facts.sheet) card.append(picture(i));
    if (facts.columns.length) {
      const table = document.createElement("table");
      facts.columns.forEach((name, c) => {
        const row = table.insertRow();
        row.append(element("th", name), element("td", facts.cells[c][i]));
      });
      card.append(table);
    }
    const w = card.offsetWidth, h = card.offsetHeight;
    card.style.left = Math.max(4, x + 18 + w > width ? x - w - 14 : x + 18) + "px";
    card.style.top = Math.max(4, Math.min(y + 14, height - h - 6)) + "px";
  }
  again();
}
function place(event) {
  const box = map.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
}
map.addEventListener("pointermove", event => {
  const [x, y] = place(event);
  if (drag) { left = drag[2] + x - drag[0]; top_ = drag[3] + y - drag[1]; show(-1); }
  else show(nearest(x, y), x, y);
});
map.addEventListener("pointerdown", event => {
  const [x, y] = place(event);
  drag = [x, y, left, top_];
  show(nearest(x, y), x, y);
  map.setPointerCapture(event.pointerId);
});
map.addEventListener("pointerup", () => { drag = null; });
map.addEventListener("pointerleave", () => { if (!drag) show(-1); });
map.addEventListener("wheel", event => {
  event.preventDefault();
  const [x, y] = place(event), next = Math.max(1, Math.min(200, zoom * Math.exp(-event.deltaY / 400)));
  left = x - (x - left) * next / zoom; top_ = y - (y - top_) * next / zoom; zoom = next;
  if (zoom === 1) left = top_ = 0;
  show(nearest(x, y), x, y);
}, {passive: false});
map.addEventListener("dblclick", () => { zoom = 1; left = top_ = 0; show(-1); });
by("find").placeholder = "find " + facts.idName + " ...";
by("find").addEventListener("input", event => { wanted = event.target.value.trim().toLowerCase(); show(-1); });
document.querySelector("h1").textContent = facts.title;
const more = facts.left ? ", evenly chosen; " + facts.left.toLocaleString("en") + " more are not shown" : "";
const axes = "Right: " + facts.axes[0] + "; up: " + facts.axes[1];
by("about").textContent = n.toLocaleString("en") + " items" + more + ". " + axes;
document.querySelector("footer").textContent =
  "Point at a dot to see its item; wheel to zoom, drag to move, double click to see all; click a class to hide it.";
facts.names.forEach((name, g) => {
  const button = document.createElement("button"), dot = document.createElement("i");
  dot.style.background = tint(g);
  button.setAttribute("aria-pressed", "true");
  button.append(dot, document.createTextNode(name));
  button.addEventListener("click", () => {
    off.has(g) ? off.delete(g) : off.add(g);
    button.setAttribute("aria-pressed", String(!off.has(g)));
    show(-1);
  });
  by("key").append(button);
});
if (facts.sheet) sheet.src = facts.sheet.url;
addEventListener("resize", resize);
resize();
</script></body></html>
"""
