"use strict";
const facts = JSON.parse(document.getElementById("facts").textContent), n = facts.ids.length;
const by = id => document.getElementById(id), map = by("map"), card = by("item"), pen = map.getContext("2d");
const STEPS = 65535, off = new Set(), sheet = new Image();
let width = 1, height = 1, zoom = 1, left = 0, top_ = 0, hover = -1, wanted = "", drag = null, queued = false;
let way = facts.colourings[0], members = [];
const group = i => way.groups.charCodeAt(i) - 97, held = i => facts.held.charCodeAt(i) === 98;
const shown = i => !off.has(group(i)) && (!wanted || facts.ids[i].toLowerCase().includes(wanted));
const px = i => left + zoom * (28 + facts.x[i] / STEPS * (width - 56));
const py = i => top_ + zoom * (28 + (1 - facts.y[i] / STEPS) * (height - 56));
const radius = () => Math.max(1.6, Math.min(4.5, 160 / Math.sqrt(n))) * Math.min(2.2, Math.sqrt(zoom));

function dots(items, r, paint) {
  pen.beginPath();
  for (const i of items) {
    if (!shown(i)) continue;
    const x = px(i), y = py(i);
    if (x < -r || y < -r || x > width + r || y > height + r) continue;
    if (r < 2) pen.rect(x - r, y - r, 2 * r, 2 * r);
    else { pen.moveTo(x + r, y); pen.arc(x, y, r, 0, 6.2832); }
  }
  pen[paint]();
}
function draw() {
  queued = false;
  const scale = window.devicePixelRatio || 1, r = radius();
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.clearRect(0, 0, width, height);
  pen.globalAlpha = 0.72;
  for (let g = members.length - 1; g >= 0; g--) {
    if (off.has(g)) continue;
    pen.fillStyle = way.colours[g];
    dots(members[g], r, "fill");
  }
  pen.strokeStyle = getComputedStyle(document.body).color;
  pen.lineWidth = n > 5000 ? 0.5 : 1;
  if (facts.held) dots(outlined, r + 0.5, "stroke");
  pen.globalAlpha = 1;
  if (hover >= 0) {
    pen.lineWidth = 2;
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
  const node = document.createElement(tag);
  node.textContent = text;
  return node;
}
function picture(i) {
  const s = facts.sheet, tile = document.createElement("canvas");
  const grow = Math.max(1, Math.floor(140 / Math.max(s.width, s.height)));
  tile.width = s.width; tile.height = s.height; tile.style.width = s.width * grow + "px";
  tile.getContext("2d").drawImage(sheet, i % s.across * s.width, Math.floor(i / s.across) * s.height,
    s.width, s.height, 0, 0, s.width, s.height);
  return tile;
}
function show(i, x, y) {
  hover = i;
  card.style.display = i < 0 ? "none" : "block";
  if (i >= 0) {
    card.replaceChildren(element("b", facts.idName + " " + facts.ids[i]));
    const words = [way.names[group(i)], facts.held ? (held(i) ? "held out" : "learnt from") : ""].filter(w => w);
    card.append(element("em", words.join(", ")));
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
const more = facts.left > 0 ? ", evenly chosen; " + facts.left.toLocaleString("en") + " more are not shown" : "";
const outlined = facts.held ? facts.ids.map((_, i) => i).filter(held) : [];
const marked = facts.held ? " (" + outlined.length.toLocaleString("en") + " held out: outlined)" : "";
const axes = "Right: " + facts.axes[0] + "; up: " + facts.axes[1];
by("about").textContent = n.toLocaleString("en") + " items" + more + marked + ". " + axes;
document.querySelector("footer").textContent =
  "Point at a dot to see its item; wheel to zoom, drag to move, double click to see all; click a colour to hide it.";
function colour(place) {
  way = facts.colourings[place];
  members = way.names.map(() => []);
  for (let i = 0; i < n; i++) members[group(i)].push(i);
  off.clear();
  by("key").replaceChildren(...(way.names.length > 1 ? way.names : []).map((name, g) => {
    const button = document.createElement("button"), dot = document.createElement("i");
    dot.style.background = way.colours[g];
    button.setAttribute("aria-pressed", "true");
    button.append(dot, document.createTextNode(name));
    button.addEventListener("click", () => {
      off.has(g) ? off.delete(g) : off.add(g);
      button.setAttribute("aria-pressed", String(!off.has(g)));
      show(-1);
    });
    return button;
  }));
  show(-1);
}
facts.colourings.forEach((known, place) => by("by").append(new Option(known.name, place)));
by("by").addEventListener("change", event => colour(Number(event.target.value)));
colour(0);
if (facts.sheet) sheet.src = facts.sheet.url;
addEventListener("resize", resize);
resize();
