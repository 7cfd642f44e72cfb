"use strict";

// Tables: a click on a title sorts, a search or a choice filters.

function keyOf(row, column) {
  const cell = row.cells[column];
  return cell.dataset.order ?? cell.textContent;
}

function compareKeys(a, b) {
  const [x, y] = [Number(a), Number(b)];
  if (a !== "" && b !== "" && !Number.isNaN(x) && !Number.isNaN(y)) return x - y;
  return a.localeCompare(b, "en", {numeric: true});
}

function sortBy(title) {
  const body = title.closest("table").tBodies[0];
  const direction = title.ariaSort === "ascending" ? -1 : 1;
  for (const other of title.parentNode.cells) other.removeAttribute("aria-sort");
  title.ariaSort = direction === 1 ? "ascending" : "descending";
  const rows = [...body.rows].map(row => [keyOf(row, title.cellIndex), row]);
  // What is not known comes last either way.
  rows.sort(([a], [b]) => (a === "") - (b === "") || direction * compareKeys(a, b));
  body.append(...rows.map(([, row]) => row));
}

function columnOf(name, title) {
  return [...document.querySelectorAll(`#${name} thead th`)].findIndex(cell => cell.textContent === title);
}

function filter(name) {
  const controls = [...document.querySelectorAll(`[data-filters="${name}"]`)];
  const rows = [...document.querySelectorAll(`#${name} tbody tr`)];
  for (const row of rows) {
    row.hidden = !controls.every(({value, dataset: {column}}) =>
      column === undefined
        ? row.textContent.toLowerCase().includes(value.toLowerCase())
        : value === "" || row.cells[columnOf(name, column)].textContent === value);
  }
  const shown = rows.filter(row => !row.hidden).length;
  document.querySelector(`[data-counts="${name}"]`).value = `${shown} of ${rows.length} rows`;
}

for (const title of document.querySelectorAll("thead th")) {
  const button = document.createElement("button");
  button.append(...title.childNodes);
  title.append(button);
  button.onclick = () => sortBy(title);
}
for (const control of document.querySelectorAll("[data-filters]")) {
  const {filters: name, column} = control.dataset;
  if (column !== undefined) {
    const place = columnOf(name, column);
    control.closest("label").hidden = place < 0;
    const values = [...document.querySelectorAll(`#${name} tbody tr`)].map(row => row.cells[place]?.textContent);
    control.append(...[...new Set(values)].map(value => new Option(value)));
  }
  control.oninput = () => filter(name);
  filter(name);
}
if (matchMedia("(max-width: 60rem)").matches) document.querySelector("nav details").open = false;

// Cells: what a network's string says, drawn.

const COLOURS = {none: "#c8ced5", skip_connect: "#59636e", nor_conv_1x1: "#56b4e9", nor_conv_3x3: "#0072b2", avg_pool_3x3: "#e69f00",
  "conv1x1-bn-relu": "#56b4e9", "conv3x3-bn-relu": "#0072b2", maxpool3x3: "#e69f00", input: "#59636e", output: "#59636e"};
const NAMES = {none: "nothing", skip_connect: "skip", nor_conv_1x1: "1×1 convolution", nor_conv_3x3: "3×3 convolution",
  avg_pool_3x3: "3×3 average", "conv1x1-bn-relu": "1×1 convolution", "conv3x3-bn-relu": "3×3 convolution", maxpool3x3: "3×3 maximum"};

function dot(x, y, text, fill = "white") {
  const ink = fill === "white" ? "#1b1f24" : "white";
  return `<circle cx="${x}" cy="${y}" r="10" fill="${fill}" stroke="#1b1f24"/>` +
    `<text x="${x}" y="${y + 4}" text-anchor="middle" font-size="11" fill="${ink}">${text}</text>`;
}

function legend(operations, top) {
  return [...new Set(operations)].filter(name => name in NAMES).map((name, place) => {
    const [x, y] = [8 + 126 * (place % 2), top + 16 * Math.floor(place / 2)];
    return `<rect x="${x}" y="${y - 7}" width="14" height="6" fill="${COLOURS[name]}"/>` +
      `<text x="${x + 20}" y="${y}" font-size="11" fill="#1b1f24">${NAMES[name]}</text>`;
  }).join("");
}

// NAS-Bench-201: six edges between four nodes, an operation on each.
function drawEdges(architecture) {
  const operations = [...architecture.matchAll(/\|([a-z0-9_]+)~(\d)/g)];
  if (operations.length !== 6) return "";
  const targets = [1, 2, 2, 3, 3, 3];
  const [xs, ys] = [[16, 95, 165, 244], [75, 22, 128, 75]];
  const lines = operations.map(([, name, from], place) => {
    const [a, b] = [Number(from), targets[place]];
    const dashes = name === "none" ? ' stroke-dasharray="2 4"' : "";
    return `<path class="edge" d="M${xs[a]} ${ys[a]}L${xs[b]} ${ys[b]}" stroke="${COLOURS[name]}" ` +
      `stroke-width="${name === "none" ? 1.5 : 4}"${dashes}/>`;
  });
  const nodes = xs.map((x, node) => dot(x, ys[node], node));
  return `<svg viewBox="0 0 260 205" role="img" aria-label="cell">${lines.join("")}${nodes.join("")}` +
    `${legend(operations.map(([, name]) => name), 160)}</svg>`;
}

// NAS-Bench-101: a graph with an operation on each vertex, the input on the left.
function drawVertices(architecture) {
  const [bits, names] = architecture.split(":");
  const operations = names.split(",");
  const count = operations.length;
  if (bits.length !== count * count) return "";
  const joined = (a, b) => bits[a * count + b] === "1";
  const depth = Array(count).fill(0);
  for (let b = 1; b < count; b++)
    for (let a = 0; a < b; a++) if (joined(a, b)) depth[b] = Math.max(depth[b], depth[a] + 1);
  depth[count - 1] = Math.max(...depth, 1);
  const beside = depth.map((own, vertex) => depth.slice(0, vertex).filter(other => other === own).length);
  const shared = depth.map(own => depth.filter(other => other === own).length);
  const xs = depth.map(own => 16 + 228 * own / depth[count - 1]);
  // A little off the line, so that an edge that passes a vertex does not run through it.
  const ys = depth.map((own, vertex) => 70 + 50 * (beside[vertex] - (shared[vertex] - 1) / 2) +
    (vertex && vertex < count - 1 && shared[vertex] === 1 ? (own % 2 ? -22 : 22) : 0));
  let lines = "";
  for (let b = 1; b < count; b++)
    for (let a = 0; a < b; a++)
      if (joined(a, b)) lines += `<path class="edge" d="M${xs[a]} ${ys[a]}L${xs[b]} ${ys[b]}" stroke="#59636e" stroke-width="1.5"/>`;
  const nodes = operations.map((name, vertex) => dot(xs[vertex], ys[vertex],
    {input: "in", output: "out"}[name] ?? "", name in NAMES ? COLOURS[name] : "white"));
  return `<svg viewBox="0 0 260 185" role="img" aria-label="cell">${lines}${nodes.join("")}${legend(operations, 158)}</svg>`;
}

function nameOf(architecture) {
  if (!architecture.startsWith("{")) return architecture;
  const counts = {};
  for (const {op} of Object.values(JSON.parse(architecture))) counts[op] = (counts[op] ?? 0) + 1;
  return "recipe of " + Object.entries(counts).map(([op, count]) => `${count} ${op.replace("_", " ")}`).join(", ");
}

function drawCell(architecture) {
  if (architecture.startsWith("|")) return drawEdges(architecture);
  return /^[01]+:/.test(architecture) ? drawVertices(architecture) : "";
}

// The explorer: scores are unpacked space by space, and Bokeh's source is filled with what is chosen.

async function unpack(text) {
  const bytes = Uint8Array.from(atob(text), sign => sign.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

// Ranks from 0, equal values with their mean.
function ranks(values) {
  const order = Array.from(values.keys()).sort((a, b) => values[a] - values[b]);
  const found = new Float64Array(values.length);
  for (let start = 0, end; start < order.length; start = end) {
    for (end = start + 1; end < order.length && values[order[end]] === values[order[start]];) end++;
    for (let place = start; place < end; place++) found[order[place]] = (start + end - 1) / 2;
  }
  return found;
}

function spearman(xs, ys) {
  const [a, b] = [ranks(xs), ranks(ys)];
  const middle = (xs.length - 1) / 2;
  let [both, left, right] = [0, 0, 0];
  a.forEach((rank, at) => {
    both += (rank - middle) * (b[at] - middle);
    left += (rank - middle) ** 2;
    right += (b[at] - middle) ** 2;
  });
  return both / Math.sqrt(left * right);
}

function agreement(xs, ys) {
  const known = Array.from(xs.keys()).filter(at => !Number.isNaN(xs[at] + ys[at]));
  const rho = spearman(known.map(at => xs[at]), known.map(at => ys[at]));
  const count = `${known.length.toLocaleString("en")} networks`;
  return Number.isNaN(rho) ? count : `${count}, Spearman's ρ ${rho.toFixed(2).replace("-", "−")}`;
}

class Explorer {
  constructor({spaces, plots}) {
    this.spaces = spaces;
    this.plots = plots;
    this.card = document.querySelector("#network");
    this.pointer = {x: 0, y: 0};
    for (const event of ["pointermove", "pointerdown"])
      document.addEventListener(event, ({clientX, clientY}) => { this.pointer = {x: clientX, y: clientY}; }, true);
    this.selects = Object.fromEntries(["space", "dataset", "x1", "y1", "x2", "y2"].map(
      name => [name, document.querySelector(`#explorer #${name}`)]));
    this.fill("space", Object.fromEntries(spaces.map(({name, title, count}) => [name, `${title} (${count.toLocaleString("en")})`])));
    this.selects.space.onchange = () => this.load();
    this.selects.dataset.onchange = () => this.offer();
    for (const name of ["x1", "y1", "x2", "y2"]) this.selects[name].onchange = () => this.draw();
  }

  fill(name, titles, usual) {
    const select = this.selects[name];
    const kept = select.value in titles ? select.value : usual;
    select.replaceChildren(...Object.entries(titles).map(([value, title]) => new Option(title, value)));
    if (kept !== undefined) select.value = kept;
  }

  async start() {
    const [view] = await Bokeh.embed.embed_item(this.plots, "plots");
    this.document = view.model.document;
    // Where fingers scroll, a plot must let them.
    if (matchMedia("(pointer: coarse)").matches)
      for (const place of [1, 2])
        for (const tool of this.model(`plot${place}`).toolbar.tools) if (tool.type === "LassoSelectTool") tool.active = false;
    await this.load();
  }

  model(name) { return this.document.get_model_by_name(name); }

  async load() {
    this.space = this.spaces.find(({name}) => name === this.selects.space.value);
    this.content = await unpack(this.space.packed);
    const sizes = this.content.parameters.map(Math.log);
    const [low, high] = sizes.reduce(([low, high], size) => [Math.min(low, size), Math.max(high, size)], [Infinity, -Infinity]);
    this.colours = Float32Array.from(sizes, size => (size - low) / (high - low || 1));
    this.names = this.content.architectures.map(nameOf);
    this.fill("dataset", this.space.datasets);
    this.offer();
  }

  offer() {
    const titles = this.space.titles[this.selects.dataset.value];
    const [reached, first, second = first] = Object.keys(titles);
    const usual = {x1: reached, y1: first, x2: reached, y2: "parameters" in titles ? "parameters" : second};
    for (const [name, metric] of Object.entries(usual)) this.fill(name, titles, metric);
    this.draw();
  }

  column(metric) {
    const values = this.content.columns[this.content.places[this.selects.dataset.value][metric]];
    return Float32Array.from(values, value => value ?? NaN);
  }

  draw() {
    const titles = this.space.titles[this.selects.dataset.value];
    const data = {index: Int32Array.from(this.content.index), name: this.names, colour: this.colours};
    for (const place of [1, 2]) {
      const plot = this.model(`plot${place}`);
      for (const [axis, name] of [[plot.below[0], `x${place}`], [plot.left[0], `y${place}`]]) {
        const metric = this.selects[name].value;
        data[name] = this.column(metric);
        axis.axis_label = titles[metric];
        axis.axis_label_text_color = metric === "performance" ? "black" : this.space.colours[metric];
        this.model("table").columns.find(({field}) => field === name).title = titles[metric];
      }
      plot.title.text = agreement(data[`x${place}`], data[`y${place}`]);
    }
    const source = this.model("networks");
    source.selected.indices = [];
    source.data = data;
    for (const place of [1, 2]) this.model(`plot${place}`).reset.emit();
    this.choose();
  }

  choose() {
    const {data, selected: {indices}} = this.model("networks");
    const chosen = Object.fromEntries(Object.entries(data).map(([name, values]) => [name, Array.from(indices, at => values[at])]));
    this.model("chosen").data = chosen;
    // Without a pointer that hovers, a tap shows the network.
    if (indices.length === 1) this.show(indices[0]);
    else this.card.hidden = true;
    document.querySelector("#choice").value = indices.length
      ? `Chosen, in the table: left ${agreement(chosen.x1, chosen.y1)}; right ${agreement(chosen.x2, chosen.y2)}.`
      : "No network is chosen.";
  }

  hover({index: {indices}}) {
    if (indices.length) this.show(indices[0]);
    else this.card.hidden = true;
  }

  show(at) {
    const [title, code] = [document.createElement("b"), document.createElement("code")];
    title.textContent = `network ${this.content.index[at]}`;
    code.textContent = this.names[at];
    this.card.innerHTML = drawCell(this.content.architectures[at]);
    this.card.prepend(title);
    this.card.append(code, ...this.facts(at));
    this.card.hidden = false;
    const box = this.card.offsetParent.getBoundingClientRect();
    const left = Math.min(this.pointer.x - box.x + 16, box.width - this.card.offsetWidth);
    const top = Math.min(this.pointer.y + 16, innerHeight - this.card.offsetHeight - 8);
    this.card.style.left = `${Math.max(left, 0)}px`;
    this.card.style.top = `${top - box.y}px`;
  }

  facts(at) {
    const titles = this.space.titles[this.selects.dataset.value];
    const shown = new Set(["x1", "y1", "x2", "y2"].map(name => this.selects[name].value));
    return [...shown].map(metric => {
      const line = document.createElement("div");
      const value = this.column(metric)[at];
      line.textContent = `${titles[metric]}: ${Number.isNaN(value) ? "no score" : Number(value.toPrecision(4))}`;
      return line;
    });
  }
}

const explorerData = document.querySelector("#explorer-data");
if (explorerData) {
  window.explorer = new Explorer(JSON.parse(explorerData.textContent));
  window.explorer.start();
}
