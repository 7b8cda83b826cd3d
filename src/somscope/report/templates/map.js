"use strict";
// The map: draws one layer of the lattice on a canvas. It knows nothing of the rest of the page.
const SQUARE = [0, 1, 2, 3].map((i) => Math.PI / 4 + (Math.PI / 2) * i);
const HEXAGON = [0, 1, 2, 3, 4, 5].map((i) => Math.PI / 6 + (Math.PI / 3) * i);
const LINE = "#d55e00";

function css(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

// The size of the drawing at `step` pixels per lattice step. Beside a chain there is room for the arcs of its lines.
function geometry(map, step, layer) {
  const hexagonal = map.shape === "hexagonal";
  const half = { x: 0.5, y: hexagonal ? 1 / Math.sqrt(3) : 0.5 };
  const arcs = layer && layer.lines && layer.lines.length ? 1.6 : 0;
  let wide = Math.max(...map.positions.map((p) => p[0])) + 2 * half.x;
  let high = Math.max(...map.positions.map((p) => p[1])) + 2 * half.y;
  if (map.rows === 1) {
    half.y += arcs;
    high += arcs;
  } else if (map.columns === 1) wide += arcs;
  return { hexagonal, half, wide, high, step, width: wide * step, height: high * step };
}

function centre(map, g, unit) {
  const [x, y] = map.positions[unit];
  return [(x + g.half.x) * g.step, (y + g.half.y) * g.step];
}

function tracePolygon(context, g, x, y, scale) {
  const radius = g.step * scale * (g.hexagonal ? 1 / Math.sqrt(3) : Math.SQRT1_2);
  const angles = g.hexagonal ? HEXAGON : SQUARE;
  context.beginPath();
  for (const angle of angles) context.lineTo(x + radius * Math.cos(angle), y + radius * Math.sin(angle));
  context.closePath();
}

function rampColour(map, share) {
  const at = Math.round(Math.min(1, Math.max(0, share)) * (map.colours.length - 1));
  return map.colours[at];
}

function valueColour(map, layer, unit) {
  const value = layer.values[unit];
  if (value === null) return null;
  return rampColour(map, layer.high > layer.low ? (value - layer.low) / (layer.high - layer.low) : 0.5);
}

function mixWithWhite(hex, strength) {
  const part = (i) => Math.round(255 - strength * (255 - parseInt(hex.slice(1 + 2 * i, 3 + 2 * i), 16)));
  return "#" + [0, 1, 2].map((i) => part(i).toString(16).padStart(2, "0")).join("");
}

function inkOn(hex) {
  const linear = [1, 3, 5].map((i) => {
    const c = parseInt(hex.slice(i, i + 2), 16) / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  });
  const luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  return (luminance + 0.05) ** 2 > 0.0525 ? "#000000" : "#ffffff";
}

function classColour(map, index) {
  return map.classColours[index % map.classColours.length];
}

function unitColour(map, layer, unit) {
  if (layer.type === "value") return valueColour(map, layer, unit);
  const group = layer.classes[unit];
  if (group < 0) return null;
  return mixWithWhite(classColour(map, group), layer.type === "class" ? 0.35 + 0.65 * layer.purity[unit] : 0.8);
}

function hatchPattern(context) {
  const tile = document.createElement("canvas");
  tile.width = tile.height = 6;
  const pen = tile.getContext("2d");
  pen.fillStyle = css("--empty");
  pen.fillRect(0, 0, 6, 6);
  pen.strokeStyle = css("--hatch");
  for (const shift of [-6, 0, 6]) {
    pen.moveTo(shift, 6);
    pen.lineTo(shift + 6, 0);
  }
  pen.stroke();
  return context.createPattern(tile, "repeat");
}

function drawPicture(context, sheet, image, unit, x, y, side) {
  const scale = side / Math.max(sheet.w, sheet.h);
  const [w, h] = [sheet.w * scale, sheet.h * scale];
  const [sx, sy] = [(unit % sheet.columns) * sheet.w, Math.floor(unit / sheet.columns) * sheet.h];
  context.imageSmoothingEnabled = scale < 1;
  context.drawImage(image, sx, sy, sheet.w, sheet.h, x - w / 2, y - h / 2, w, h);
}

// A word over the lines of the lattice, which a rim in the colour of the cells keeps away from its letters.
function drawWord(context, word, x, y, width) {
  context.strokeStyle = css("--page");
  context.lineWidth = 3;
  context.lineJoin = "round";
  context.strokeText(word, x, y, width);
  context.fillText(word, x, y, width);
}

// Up to three words in each cell that is large enough.
function drawWordLists(context, map, layer, g) {
  const lines = g.step >= 58 ? 3 : 2;
  const inks = [css("--ink"), css("--quiet")];
  for (let unit = 0; unit < map.hits.length; unit++) {
    const words = map.hits[unit] ? layer.words[unit].slice(0, lines) : [];
    const [x, y] = centre(map, g, unit);
    words.forEach((word, i) => {
      const line = y + (i - (words.length - 1) / 2) * 13;
      context.fillStyle = inks[i ? 1 : 0];
      drawWord(context, word, x, line, g.step - 6);
    });
  }
}

// The first word of each unit where there is room, those of the fullest units first.
function drawWords(context, map, layer, g) {
  context.font = "11px system-ui, sans-serif";
  context.textAlign = "center";
  context.textBaseline = "middle";
  if (g.step >= 44) return drawWordLists(context, map, layer, g);
  context.fillStyle = css("--ink");
  const taken = [];
  const order = map.hits.map((_, unit) => unit).sort((a, b) => map.hits[b] - map.hits[a]);
  for (const unit of order) {
    const word = layer.words[unit][0];
    if (!word || !map.hits[unit]) continue;
    let [x, y] = centre(map, g, unit);
    const half = context.measureText(word).width / 2 + 3;
    x = Math.max(half, Math.min(g.width - half, x));
    if (taken.some((t) => Math.abs(t.x - x) < t.half + half && Math.abs(t.y - y) < 14)) continue;
    taken.push({ x, y, half });
    drawWord(context, word, x, y);
  }
}

// Lines between best and second units; around a torus they take the shorter way.
function drawLines(context, map, layer, g) {
  const most = Math.max(...layer.lines.map((line) => line[2]), 1);
  const chain = map.rows === 1 || map.columns === 1;
  const period = [map.columns, map.rows * (g.hexagonal ? Math.sqrt(3) / 2 : 1)];
  context.strokeStyle = LINE;
  context.lineCap = "round";
  context.globalAlpha = 0.85;
  for (const [a, b, count] of layer.lines) {
    let delta = [0, 1].map((i) => map.positions[b][i] - map.positions[a][i]);
    if (map.toroidal) delta = delta.map((d, i) => d - period[i] * Math.round(d / period[i]));
    context.lineWidth = 0.6 + 2.6 * Math.sqrt(count / most);
    const ends = [[centre(map, g, a), 1], [centre(map, g, b), -1]];
    for (const [[x, y], sign] of map.toroidal ? ends : ends.slice(0, 1)) {
      const [dx, dy] = delta.map((d) => sign * d * g.step);
      const length = Math.hypot(dx, dy) || 1;
      const high = Math.min(1, (4 * length) / g.step / map.hits.length);
      const bend = (chain ? 3.6 * high * g.step : 0) * (map.rows === 1 ? Math.sign(dx) : Math.sign(dy));
      context.beginPath();
      context.moveTo(x, y);
      context.quadraticCurveTo(x + dx / 2 + (bend * dy) / length, y + dy / 2 - (bend * dx) / length, x + dx, y + dy);
      context.stroke();
    }
  }
  context.globalAlpha = 1;
}

function drawLayer(canvas, map, layer, g, images) {
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.ceil(g.width * ratio);
  canvas.height = Math.ceil(g.height * ratio);
  canvas.style.width = `${g.width}px`;
  canvas.style.height = `${g.height}px`;
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  const hatch = hatchPattern(context);
  const [page, line] = [css("--page"), css("--line")];
  const side = g.step * (g.hexagonal ? 0.84 : 0.95);
  const numbers = (layer.type === "class" || layer.type === "cluster") && g.step >= 16;
  for (let unit = 0; unit < map.hits.length; unit++) {
    const [x, y] = centre(map, g, unit);
    if (layer.type === "picture") {
      if (layer.sheet === "medoids" && !map.hits[unit]) {
        context.fillStyle = hatch;
        context.fillRect(x - side / 2, y - side / 2, side, side);
      } else drawPicture(context, map.sheets[layer.sheet], images[layer.sheet], unit, x, y, side);
      continue;
    }
    tracePolygon(context, g, x, y, g.step < 8 ? 1.02 : 0.97);
    if (layer.type === "word") {
      context.fillStyle = map.hits[unit] ? page : hatch;
      context.fill();
      context.strokeStyle = line;
      context.stroke();
      continue;
    }
    const colour = unitColour(map, layer, unit);
    context.fillStyle = colour === null ? hatch : colour;
    context.fill();
    if (numbers && colour !== null) {
      context.fillStyle = inkOn(colour);
      context.font = `${Math.min(13, g.step * 0.5)}px system-ui, sans-serif`;
      context.textAlign = "center";
      context.textBaseline = "middle";
      context.fillText(String(layer.classes[unit]), x, y);
    }
  }
  if (layer.lines) drawLines(context, map, layer, g);
}

function outline(canvas, map, g, unit, neighbours) {
  const context = canvas.getContext("2d");
  context.lineJoin = "round";
  context.lineWidth = 1.5;
  context.strokeStyle = css("--accent");
  context.setLineDash([3, 2]);
  for (const other of neighbours) {
    tracePolygon(context, g, ...centre(map, g, other), 0.94);
    context.stroke();
  }
  context.setLineDash([]);
  for (const [width, colour] of [[5, "#ffffff"], [2.5, "#000000"]]) {
    tracePolygon(context, g, ...centre(map, g, unit), 0.98);
    context.lineWidth = width;
    context.strokeStyle = colour;
    context.stroke();
  }
}

function unitAt(map, g, x, y) {
  let [best, least] = [-1, Infinity];
  map.positions.forEach(([px, py], unit) => {
    const squared = ((px + g.half.x) * g.step - x) ** 2 + ((py + g.half.y) * g.step - y) ** 2;
    if (squared < least) [best, least] = [unit, squared];
  });
  return least < (0.72 * g.step) ** 2 ? best : -1;
}

// The nearest unit of a graph in the direction of an arrow key, or the first or last unit.
function unitTowards(map, unit, key) {
  if (key === "Home") return 0;
  if (key === "End") return map.hits.length - 1;
  const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  if (!ways[key]) return -1;
  const [x, y] = map.positions[unit];
  let [best, least] = [unit, Infinity];
  map.positions.forEach(([px, py], other) => {
    const along = (px - x) * ways[key][0] + (py - y) * ways[key][1];
    const across = Math.abs((px - x) * ways[key][1]) + Math.abs((py - y) * ways[key][0]);
    if (along > 0.01 && along >= across * 0.5 && along + 2 * across < least) [best, least] = [other, along + 2 * across];
  });
  return best;
}

// The unit one arrow key further; around the edge on a toroidal lattice.
function unitBeside(map, unit, key) {
  if (map.graph) return unitTowards(map, unit, key);
  let [row, column] = [Math.floor(unit / map.columns), unit % map.columns];
  if (key === "ArrowLeft") column--;
  else if (key === "ArrowRight") column++;
  else if (key === "ArrowUp") row--;
  else if (key === "ArrowDown") row++;
  else if (key === "Home") column = 0;
  else if (key === "End") column = map.columns - 1;
  else return -1;
  if (map.toroidal) {
    row = (row + map.rows) % map.rows;
    column = (column + map.columns) % map.columns;
  }
  if (row < 0 || column < 0 || row >= map.rows || column >= map.columns) return unit;
  return row * map.columns + column;
}
