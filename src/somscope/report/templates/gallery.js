// The gallery: what one unit holds. Strings of the run only ever become text nodes or attributes.
const BATCH = window.innerWidth < 600 ? 24 : 60; // members shown at a time

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "class") element.className = value;
    else if (name === "text") element.textContent = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

function format(value) {
  if (value === null || value === undefined) return "-";
  if (Number.isInteger(value)) return value.toLocaleString("en");
  return Number(value.toPrecision(4)).toLocaleString("en", { maximumSignificantDigits: 4 });
}

function percent(share) {
  return `${(100 * share).toFixed(share > 0 && share < 0.1 ? 1 : 0)} %`;
}

function unitName(map, unit) {
  if (map.graph) return `${map.unit} ${unit}`;
  return `Unit ${unit} (row ${Math.floor(unit / map.columns)}, column ${unit % map.columns})`;
}

function className(map, index) {
  return index < 0 ? "no label" : map.classNames[index];
}

// One cell of a sheet as an element of `side` pixels.
function thumbnail(sheet, url, index, side, alt) {
  const scale = side / Math.max(sheet.w, sheet.h);
  const element = make("span", { class: "thumb", role: "img", "aria-label": alt });
  const [column, row] = [index % sheet.columns, Math.floor(index / sheet.columns)];
  Object.assign(element.style, {
    width: `${sheet.w * scale}px`,
    height: `${sheet.h * scale}px`,
    backgroundImage: `url("${url}")`,
    backgroundSize: `${sheet.columns * sheet.w * scale}px ${sheet.rows * sheet.h * scale}px`,
    backgroundPosition: `${-column * sheet.w * scale}px ${-row * sheet.h * scale}px`,
  });
  return element;
}

// Data URIs become blob URLs once, so that many elements share one decoded picture.
function blobUrl(uri) {
  const [head, body] = uri.split(",");
  const bytes = Uint8Array.from(atob(body), (c) => c.charCodeAt(0));
  return URL.createObjectURL(new Blob([bytes], { type: head.slice(5, head.indexOf(";")) }));
}

function neighboursOf(map, unit) {
  const found = [];
  map.edges.forEach(([a, b], i) => {
    if (a === unit) found.push([b, map.edgeDistances[i]]);
    else if (b === unit) found.push([a, map.edgeDistances[i]]);
  });
  return found.sort((x, y) => x[1] - y[1]);
}

function labelBars(map, unit) {
  const counts = map.counts[unit];
  if (!counts.length) return [];
  const total = counts.reduce((sum, entry) => sum + entry[1], 0);
  const list = make("ul", { class: "bars", "aria-label": "Labels of the members" });
  for (const [index, count] of counts.slice(0, 6)) {
    const fill = make("div", { class: "bar-fill" });
    Object.assign(fill.style, { width: `${(100 * count) / total}%`, background: classColour(map, index) });
    const name = className(map, index);
    list.append(
      make("li", {}, make("span", { text: name, title: name }), make("div", {}, fill),
        make("span", { class: "count", text: `${count} (${percent(count / total)})` })),
    );
  }
  if (counts.length > 6) list.append(make("li", {}, make("span", { text: `and ${counts.length - 6} more` })));
  return [list];
}

function portraits(map, urls, unit) {
  const box = make("div", { class: "portraits" });
  const shown = [["prototypes", map.prototype], ["medoids", "Nearest member"]];
  for (const [key, title] of shown) {
    if (!map.sheets[key] || (key === "medoids" && !map.hits[unit])) continue;
    box.append(
      make("figure", {}, thumbnail(map.sheets[key], urls[key], unit, 112, `${title} of ${map.unit.toLowerCase()} ${unit}`),
        make("figcaption", { text: title })),
    );
  }
  const facts = make("dl", { class: "facts pair" });
  const fact = (name, value) => facts.append(make("dt", { text: name }), make("dd", { text: value }));
  fact("Members", format(map.hits[unit]));
  fact("Mean distance", `${format(map.error[unit])} (${map.distanceUnit})`);
  box.append(make("div", { class: "grow" }, facts, ...labelBars(map, unit)));
  return box;
}

function wordsOf(map, unit) {
  if (!map.terms.length) return [];
  const list = make("ul", { class: "words" });
  for (const [word, weight] of map.terms[unit]) list.append(make("li", { text: word, title: `weight ${weight}` }));
  return [make("h3", { text: "Top words of the prototype" }), list];
}

function featuresOf(map, unit) {
  if (!map.features.length || !map.features[unit].length) return [];
  const body = make("tbody");
  for (const [name, value, score] of map.features[unit]) {
    body.append(
      make("tr", {}, make("th", { scope: "row", text: name }), make("td", { class: "number", text: format(value) }),
        make("td", { class: "number", text: (score > 0 ? "+" : "") + score.toFixed(1) })),
    );
  }
  const head = make("tr", {}, make("th", { scope: "col", text: "Feature" }),
    make("th", { scope: "col", class: "number", text: "Prototype" }),
    make("th", { scope: "col", class: "number", text: "Deviations", title: "From the mean over the map, in standard deviations over the map" }));
  return [make("h3", { text: "What sets it apart" }),
    make("div", { class: "table" }, make("table", {}, make("thead", {}, head), body))];
}

function neighbourButtons(map, urls, unit, select) {
  const found = neighboursOf(map, unit);
  if (!found.length) return [];
  const box = make("div", { class: "neighbours" });
  for (const [other, distance] of found) {
    const button = make("button", { type: "button" });
    const key = map.sheets.prototypes ? "prototypes" : "medoids";
    if (map.sheets[key]) {
      const picture = thumbnail(map.sheets[key], urls[key], other, 32, "");
      picture.setAttribute("aria-hidden", "true");
      button.append(picture);
    }
    button.append(make("span", { text: `Unit ${other} at ${format(distance)}` }));
    button.addEventListener("click", () => select(other));
    box.append(button);
  }
  return [make("h3", { text: "Neighbours, nearest first" }), box];
}

// Positions of the members in the order asked for.
function sorted(members, how) {
  const order = members.ids.map((_, i) => i);
  if (how === "farthest") order.reverse();
  if (how === "label") order.sort((a, b) => members.labels[a] - members.labels[b] || a - b);
  return order;
}

function memberDetails(map, members, i) {
  const label = members.labels ? `, ${className(map, members.labels[i])}` : "";
  return `${members.ids[i]}${label}: distance ${format(members.distances[i])}, ` +
    `farther than ${format(members.percentiles[i])} % of all items from their units` +
    (members.seconds[i] >= 0 ? `; second-best ${map.unit.toLowerCase()} ${members.seconds[i]}` : "");
}

function memberItem(map, members, url, i, majority) {
  const details = memberDetails(map, members, i);
  const item = make("li", { title: details });
  const label = members.labels ? className(map, members.labels[i]) : "";
  const other = members.labels && members.labels[i] !== majority;
  if (members.texts) {
    item.append(make("div", { text: members.texts[i] }),
      make("span", { class: "quiet", text: [members.ids[i], label, `distance ${format(members.distances[i])}`].filter(Boolean).join(" · ") }));
    return item;
  }
  if (members.sheet) item.append(thumbnail(members.sheet, url, i, 80, details));
  if (label) {
    const swatch = make("span", { class: "swatch", "aria-hidden": "true" });
    if (members.labels[i] >= 0) swatch.style.background = classColour(map, members.labels[i]);
    item.append(make("span", { class: other ? "line other" : "line" }, swatch, label));
  }
  item.append(make("span", { class: "line quiet", text: members.ids[i] }),
    make("span", { class: "line", text: format(members.distances[i]) }));
  return item;
}

function memberRow(map, members, i) {
  const cells = [make("th", { scope: "row", text: members.ids[i] })];
  if (members.labels) cells.push(make("td", { text: className(map, members.labels[i]) }));
  for (const value of [members.distances[i], members.percentiles[i]]) {
    cells.push(make("td", { class: "number", text: format(value) }));
  }
  cells.push(make("td", { class: "number", text: members.seconds[i] < 0 ? "-" : String(members.seconds[i]) }));
  return make("tr", {}, ...cells);
}

function memberTable(members) {
  const head = make("tr", {}, make("th", { scope: "col", text: "Item" }));
  if (members.labels) head.append(make("th", { scope: "col", text: "Label" }));
  for (const name of ["Distance", "Percentile", "Second unit"]) {
    head.append(make("th", { scope: "col", class: "number", text: name }));
  }
  const body = make("tbody");
  return [make("div", { class: "table" }, make("table", {}, make("thead", {}, head), body)), body];
}

// The list of members, `BATCH` at a time.
function memberList(map, unit, state) {
  const source = document.getElementById(`members-${unit}`);
  const members = source ? JSON.parse(source.textContent) : { n: 0 };
  const head = make("div", { class: "members-head" });
  const box = make("div", {}, head);
  if (!members.n) {
    head.append(make("h3", { text: map.hits[unit] ? "Members are not listed" : "No item lies here" }));
    return box;
  }
  const url = members.sheet ? blobUrl(members.sheet.uri) : "";
  if (url) state.release.push(url);
  const left = map.hits[unit] - members.n;
  const counted = left > 0 ? `${format(members.n)} of ${format(map.hits[unit])} members` : `${format(members.n)} member${members.n > 1 ? "s" : ""}`;
  head.append(make("h3", { text: counted }));
  const choice = make("select", { "aria-label": "Order of the members", id: "member-order" });
  const orders = [["nearest", "Nearest first"], ["farthest", "Farthest first"]];
  if (members.labels) orders.push(["label", "By label"]);
  for (const [value, text] of orders) choice.append(make("option", { value, text }));
  choice.value = orders.some(([value]) => value === state.order) ? state.order : "nearest";
  head.append(choice);
  const majority = map.counts[unit].length ? map.counts[unit][0][0] : -1;
  const holder = make("div");
  const fill = () => {
    const order = sorted(members, choice.value);
    const isTable = !members.sheet && !members.texts;
    const [outer, list] = isTable ? memberTable(members)
      : (() => { const ul = make("ul", { class: members.texts ? "texts" : "members" }); return [ul, ul]; })();
    const more = make("button", { type: "button", class: "more" });
    let shown = 0;
    const grow = () => {
      for (const i of order.slice(shown, shown + BATCH)) {
        list.append(isTable ? memberRow(map, members, i) : memberItem(map, members, url, i, majority));
      }
      shown = Math.min(order.length, shown + BATCH);
      more.textContent = `Show more (${format(order.length - shown)} left)`;
      more.hidden = shown >= order.length;
    };
    more.addEventListener("click", grow);
    holder.replaceChildren(outer, more);
    grow();
  };
  choice.addEventListener("change", () => { state.order = choice.value; fill(); });
  fill();
  box.append(holder);
  return box;
}

function showUnit(target, map, urls, unit, state, select) {
  for (const url of state.release.splice(0)) URL.revokeObjectURL(url);
  target.replaceChildren(
    portraits(map, urls, unit),
    ...wordsOf(map, unit),
    ...featuresOf(map, unit),
    ...neighbourButtons(map, urls, unit, select),
    memberList(map, unit, state),
  );
}
