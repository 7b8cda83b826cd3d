// The page: joins the map, its layers, the keyboard and the gallery.
(function () {
  document.documentElement.classList.add("js");
  const map = JSON.parse(document.getElementById("data-map").textContent);
  const byId = (id) => document.getElementById(id);
  const canvas = byId("canvas");
  const focus = byId("map-focus");
  const all = [...map.layers, ...map.planes];
  const images = {};
  const urls = {};
  for (const name of Object.keys(map.sheets)) {
    images[name] = byId(`sheet-${name}`);
    urls[name] = blobUrl(images[name].src);
  }
  const fullest = map.hits.indexOf(Math.max(...map.hits));
  const state = { layer: map.layers[0], unit: fullest, zoom: 1, order: "nearest", release: [] };
  let g = null;

  function room() {
    const width = byId("canvas-scroll").clientWidth || 320;
    const unscaled = geometry(map, 1, state.layer);
    const fits = Math.min(width / unscaled.wide, (0.75 * Math.max(480, window.innerHeight)) / unscaled.high);
    const least = map.rows === 1 || map.columns === 1 ? 32 : 9; // a chain is scrolled rather than thin
    return geometry(map, Math.min(90, Math.max(fits, least)) * state.zoom, state.layer);
  }

  function draw() {
    g = room();
    drawLayer(canvas, map, state.layer, g, images);
    outline(canvas, map, g, state.unit, neighboursOf(map, state.unit).map(([other]) => other));
    if (state.layer.type === "word") drawWords(canvas.getContext("2d"), map, state.layer, g); // over the outlines
  }

  function valueText(unit) {
    const layer = state.layer;
    if (layer.type === "value") return layer.values[unit] === null ? "" : `; ${layer.title}: ${format(layer.values[unit])}`;
    if (layer.type === "cluster") return `; cluster ${layer.classes[unit]}`;
    return "";
  }

  function describeUnit(unit) {
    const hits = map.hits[unit];
    let text = `${unitName(map, unit)}: ${format(hits)} member${hits === 1 ? "" : "s"}`;
    if (map.counts[unit].length) {
      const total = map.counts[unit].reduce((sum, entry) => sum + entry[1], 0);
      const [index, count] = map.counts[unit][0];
      text += `, ${percent(count / total)} ${className(map, index)}`;
    }
    if (map.terms.length) text += `; ${map.terms[unit].slice(0, 4).map((term) => term[0]).join(", ")}`;
    return text + valueText(unit);
  }

  // Scrolls the map's own box, never the page, until the chosen unit is inside it.
  function reveal() {
    const box = byId("canvas-scroll");
    const [x, y] = centre(map, g, state.unit);
    const left = x + byId("map-focus").offsetLeft - box.offsetLeft;
    if (left < box.scrollLeft + g.step || left > box.scrollLeft + box.clientWidth - g.step) box.scrollLeft = left - box.clientWidth / 2;
    if (y < box.scrollTop + g.step || y > box.scrollTop + box.clientHeight - g.step) box.scrollTop = y - box.clientHeight / 2;
  }

  function select(unit) {
    state.unit = unit;
    byId("map-state").textContent = describeUnit(unit);
    byId("unit-title").textContent = unitName(map, unit);
    showUnit(byId("unit-body"), map, urls, unit, state, select);
    draw();
    reveal();
  }

  function swatches(entries) {
    const list = make("ul", { class: "keys" });
    for (const [colour, text] of entries) {
      const swatch = make("span", { class: colour ? "swatch" : "swatch empty", "aria-hidden": "true" });
      if (colour) swatch.style.background = colour;
      list.append(make("li", {}, swatch, text));
    }
    return list;
  }

  function legend() {
    const layer = state.layer;
    const box = byId("legend");
    const parts = [];
    if (layer.type === "value") {
      const ramp = make("div", { class: "ramp", role: "img", "aria-label": `Colours from ${format(layer.low)} to ${format(layer.high)}` });
      ramp.style.background = `linear-gradient(to right, ${map.colours.join(",")})`;
      parts.push(ramp, make("div", { class: "ends" }, make("span", { text: format(layer.low) }), make("span", { text: format(layer.high) })),
        make("div", { text: layer.unit }));
      if (layer.values.includes(null)) parts.push(swatches([["", "no members"]]));
    } else if (layer.type === "class") {
      const present = [...new Set(layer.classes)].filter((i) => i >= 0).sort((a, b) => a - b);
      const entries = present.slice(0, 60).map((i) => [classColour(map, i), `${i} ${className(map, i)}`]);
      if (layer.classes.includes(-1)) entries.push(["", "no labelled member"]);
      parts.push(swatches(entries));
      if (present.length > 60) parts.push(make("div", { class: "quiet", text: `and ${present.length - 60} more classes` }));
      const faint = mixWithWhite(classColour(map, present[0] || 0), 0.35);
      parts.push(make("div", { class: "quiet" }, swatches([[faint, "pale: few share the label"], [classColour(map, present[0] || 0), "full: all share it"]])));
    } else if (layer.type === "cluster") {
      const present = [...new Set(layer.classes)].sort((a, b) => a - b);
      parts.push(swatches(present.map((i) => [mixWithWhite(classColour(map, i), 0.8), `cluster ${i}`])));
    } else if (layer.type === "picture" && layer.sheet === "medoids" && map.hits.includes(0)) {
      parts.push(swatches([["", "no members"]]));
    }
    if (map.toroidal) parts.push(make("div", { class: "quiet", text: "The lattice is a torus: the left edge joins the right, the top joins the bottom." }));
    box.replaceChildren(...parts);
  }

  function showLayer(key) {
    state.layer = all.find((layer) => layer.key === key) || state.layer;
    for (const button of byId("layers").children) {
      const on = button.dataset.layer === state.layer.key;
      button.setAttribute("aria-checked", String(on));
      button.tabIndex = on || (!map.layers.includes(state.layer) && button === byId("layers").firstChild) ? 0 : -1;
    }
    for (const button of byId("planes-grid").children) {
      button.setAttribute("aria-pressed", String(button.dataset.layer === state.layer.key));
    }
    byId("layer-text").textContent = state.layer.text;
    byId("map-state").textContent = describeUnit(state.unit);
    legend();
    draw();
  }

  function buildLayers() {
    for (const layer of map.layers) {
      const button = make("button", { type: "button", role: "radio", "data-layer": layer.key, text: layer.title });
      button.addEventListener("click", () => showLayer(layer.key));
      byId("layers").append(button);
    }
    byId("layers").addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      const n = map.layers.length;
      const at = (map.layers.indexOf(state.layer) + step + n) % n;
      showLayer(map.layers[at].key);
      byId("layers").children[at].focus();
    });
  }

  function buildPlanes() {
    if (!map.planes.length) return;
    byId("planes").hidden = false;
    byId("planes-text").textContent = `One feature of all prototypes at a time; choose one to see it on the map above. ${map.planesNote}`;
    for (const plane of map.planes) {
      const picture = make("canvas", { "aria-hidden": "true" });
      const button = make("button", { type: "button", "data-layer": plane.key, title: plane.title }, picture,
        make("span", { class: "line", text: plane.title }),
        make("span", { class: "line quiet", text: `${format(plane.low)} to ${format(plane.high)}` }));
      button.addEventListener("click", () => {
        showLayer(plane.key);
        byId("map").scrollIntoView({ block: "start" });
      });
      byId("planes-grid").append(button);
      const unscaled = geometry(map, 1);
      drawLayer(picture, map, plane, geometry(map, 130 / Math.max(unscaled.wide, unscaled.high)), images);
      picture.style.width = picture.style.height = "";
    }
  }

  function darkNow() {
    const chosen = document.documentElement.dataset.theme;
    return chosen ? chosen === "dark" : window.matchMedia("(prefers-color-scheme: dark)").matches;
  }

  canvas.addEventListener("click", (event) => {
    const box = canvas.getBoundingClientRect();
    const unit = unitAt(map, g, event.clientX - box.left, event.clientY - box.top);
    if (unit >= 0) select(unit);
  });
  canvas.addEventListener("mousemove", (event) => {
    const box = canvas.getBoundingClientRect();
    const unit = unitAt(map, g, event.clientX - box.left, event.clientY - box.top);
    canvas.title = unit >= 0 ? describeUnit(unit) : "";
  });
  focus.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      byId("unit").focus();
      return;
    }
    const unit = unitBeside(map, state.unit, event.key);
    if (unit < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    if (unit !== state.unit) select(unit);
  });
  const order = map.hits.map((_, unit) => unit);
  if (map.clusters) order.sort((a, b) => map.hits[b] - map.hits[a] || a - b);
  const beside = (step) => select(order[(order.indexOf(state.unit) + step + order.length) % order.length]);
  byId("previous").addEventListener("click", () => beside(-1));
  byId("next").addEventListener("click", () => beside(1));
  for (const [id, factor] of [["larger", 1.5], ["smaller", 1 / 1.5]]) {
    byId(id).addEventListener("click", () => {
      state.zoom = Math.min(6, Math.max(0.5, state.zoom * factor));
      draw();
      reveal();
    });
  }
  const themeButton = byId("theme");
  const nameTheme = () => { themeButton.textContent = darkNow() ? "Light" : "Dark"; };
  themeButton.addEventListener("click", () => {
    document.documentElement.dataset.theme = darkNow() ? "light" : "dark";
    nameTheme();
    draw();
  });
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { nameTheme(); draw(); });
  if (byId("copy")) {
    byId("copy").addEventListener("click", () => {
      const done = () => { byId("copy").textContent = "Copied"; };
      const byHand = () => { window.getSelection().selectAllChildren(byId("command")); byId("copy").textContent = "Selected: press Ctrl+C"; };
      if (navigator.clipboard) navigator.clipboard.writeText(byId("command").textContent).then(done, byHand);
      else byHand();
    });
  }
  let waiting = 0;
  window.addEventListener("resize", () => { cancelAnimationFrame(waiting); waiting = requestAnimationFrame(draw); });

  const ready = Object.values(images).map((image) => image.decode().catch(() => undefined));
  Promise.all(ready).then(() => {
    buildLayers();
    buildPlanes();
    nameTheme();
    showLayer(map.layers[0].key);
    select(state.unit);
    document.documentElement.dataset.ready = "true";
  });
})();
