// Draws a scene on a Canvas 2D context. It knows nothing of the application around it.
import { FILL, pictureSide, slotsPerSide, TILE, type Painted, type Scene, type View } from "./scene";

const ROOT3 = Math.sqrt(3);

export function paint(
  pen: CanvasRenderingContext2D,
  width: number,
  height: number,
  scene: Scene,
  view: View,
  painted: Painted,
): void {
  const { scale } = view;
  const toX = (x: number) => (x - view.x) * scale + width / 2;
  const toY = (y: number) => (y - view.y) * scale + height / 2;
  const ink = painted.dark ? "#e8e8e8" : "#1c1c1c";
  pen.clearRect(0, 0, width, height);
  const { mode } = painted;
  const side = pictureSide(scene.hexagonal) * scale;
  const sheet = scene.sheets.get(mode) ?? null;
  const hatch = hatching(pen, painted.dark);
  pen.imageSmoothingEnabled = true;

  for (const [dx, dy] of shifts(scene)) {
    const copy = dx !== 0 || dy !== 0;
    pen.globalAlpha = copy ? 0.35 : 1; // a torus goes on: its other side is shown pale
    for (let unit = 0; unit < scene.x.length; unit++) {
      const [x, y] = [toX(scene.x[unit] + dx), toY(scene.y[unit] + dy)];
      if (x < -scale || y < -scale || x > width + scale || y > height + scale) continue;
      const fill = painted.fills?.[unit];
      if (painted.fills) {
        cell(pen, x, y, scale, scene.hexagonal);
        pen.fillStyle = fill || hatch;
        if (mode === "dots") pen.globalAlpha *= 0.3; // the dots have colours of their own
        pen.fill();
        pen.globalAlpha = copy ? 0.35 : 1;
      }
      if (painted.hatched?.[unit]) {
        cell(pen, x, y, scale, scene.hexagonal);
        pen.fillStyle = dotted(pen);
        pen.fill();
      }
      const dimmed = painted.share !== null && painted.share[unit] === 0;
      if (mode === "mosaic" && scene.tile) {
        members(pen, scene, painted, unit, x, y, side, scale, copy);
      } else if (sheet && (scene.hits[unit] > 0 || (mode === "prototypes" && scene.learned))) {
        if (dimmed) pen.globalAlpha = copy ? 0.15 : 0.45;
        picture(pen, scene, sheet, unit, x, y, side);
        pen.globalAlpha = copy ? 0.35 : 1;
      }
      if (dimmed && mode !== "mosaic" && mode !== "dots" && painted.fills) {
        cell(pen, x, y, scale, scene.hexagonal);
        pen.fillStyle = painted.dark ? "#1a1c2090" : "#ffffff98";
        pen.fill();
      }
      if (painted.share && painted.share[unit] > 0 && painted.share[unit] < 1 && mode !== "dots") {
        bar(pen, x, y, side, painted.share[unit]);
      }
      if (painted.framed?.[unit]) frame(pen, x, y, scale, scene.hexagonal, ink);
      const shown = mode === "medoids" && scale >= 60 && scene.hits[unit] ? scene.hits[unit].toLocaleString("en") : "";
      label(pen, x, y, scale, painted.names.get(unit) ?? "", shown, painted.words?.[unit] ?? [], mode, fill ?? "", ink);
    }
  }
  pen.globalAlpha = 1;
  const graph: Array<[number, number, number]> = [];
  if (scene.edges) {
    const [from, to] = scene.edges;
    for (let i = 0; i < from.length; i++) graph.push([from[i], to[i], 0]);
  }
  connect(pen, scene, toX, toY, scale, graph, "#5b6470");
  if (painted.lines) {
    const all: Array<[number, number, number]> = [];
    for (let i = 0; i + 2 < painted.lines.length; i += 3) {
      all.push([painted.lines[i], painted.lines[i + 1], painted.lines[i + 2]]);
    }
    connect(pen, scene, toX, toY, scale, all, "#d55e00");
  }
  if (painted.arrived) discs(pen, scene, painted.arrived, toX, toY, scale);
  if (mode === "dots") dots(pen, width, height, scene, painted, toX, toY, scale);
  for (const unit of painted.found) ring(pen, toX(scene.x[unit]), toY(scene.y[unit]), scale, scene.hexagonal, "#d55e00");
  if (painted.active >= 0) {
    ring(pen, toX(scene.x[painted.active]), toY(scene.y[painted.active]), scale, scene.hexagonal, ink);
  }
  if (painted.item >= 0) spot(pen, toX(scene.itemX[painted.item]), toY(scene.itemY[painted.item]), scale);
  if (painted.probe) spot(pen, toX(painted.probe[0]), toY(painted.probe[1]), scale);
  if (painted.shape.length >= 4) outline(pen, painted.shape, toX, toY, ink);
}

/** A thick frame inside a cell. */
function frame(
  pen: CanvasRenderingContext2D,
  x: number,
  y: number,
  scale: number,
  hexagonal: boolean,
  ink: string,
): void {
  cell(pen, x, y, scale * 0.96, hexagonal);
  pen.lineWidth = Math.max(2, scale * 0.05);
  pen.strokeStyle = ink;
  pen.stroke();
}

/** How many items a choice on another map brings to each unit: discs, their areas as the numbers. */
function discs(
  pen: CanvasRenderingContext2D,
  scene: Scene,
  arrived: Float32Array,
  toX: (x: number) => number,
  toY: (y: number) => number,
  scale: number,
): void {
  const most = arrived.reduce((high, n) => Math.max(high, n), 1);
  const largest = 0.3 * scale;
  for (let unit = 0; unit < arrived.length; unit++) {
    if (!arrived[unit]) continue;
    const radius = Math.max(2, largest * Math.sqrt(arrived[unit] / most));
    const [x, y] = [toX(scene.x[unit]), toY(scene.y[unit])];
    pen.beginPath();
    pen.arc(x, y, radius, 0, 2 * Math.PI);
    pen.fillStyle = "#d55e00d0";
    pen.fill();
    pen.lineWidth = 1.5;
    pen.strokeStyle = "#ffffff";
    pen.stroke();
    if (scale < 30) continue;
    pen.font = `600 ${Math.max(10, Math.min(15, scale / 5))}px system-ui, sans-serif`;
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.lineWidth = 3;
    pen.strokeStyle = "#7a3600";
    pen.strokeText(String(arrived[unit]), x, y);
    pen.fillStyle = "#ffffff";
    pen.fillText(String(arrived[unit]), x, y);
  }
}

/** Where the map is drawn: once, and around it again where its edges are joined. */
function shifts(scene: Scene): Array<[number, number]> {
  if (!scene.period) return [[0, 0]];
  const [w, h] = scene.period;
  const all: Array<[number, number]> = [];
  for (const i of [-1, 0, 1]) for (const j of [-1, 0, 1]) if (i || j) all.push([i * w, j * h]);
  return [...all, [0, 0]];
}

export function corners(x: number, y: number, scale: number, hexagonal: boolean): Array<[number, number]> {
  if (!hexagonal) {
    const half = (FILL * scale) / 2;
    return [
      [x - half, y - half],
      [x + half, y - half],
      [x + half, y + half],
      [x - half, y + half],
    ];
  }
  const radius = (FILL * scale) / ROOT3;
  return [0, 1, 2, 3, 4, 5].map((i) => {
    const angle = (Math.PI / 3) * i + Math.PI / 6;
    return [x + radius * Math.cos(angle), y + radius * Math.sin(angle)];
  });
}

function cell(pen: CanvasRenderingContext2D, x: number, y: number, scale: number, hexagonal: boolean): void {
  pen.beginPath();
  for (const [cx, cy] of corners(x, y, scale, hexagonal)) pen.lineTo(cx, cy);
  pen.closePath();
}

function ring(
  pen: CanvasRenderingContext2D,
  x: number,
  y: number,
  scale: number,
  hexagonal: boolean,
  colour: string,
): void {
  cell(pen, x, y, scale * 1.03, hexagonal);
  pen.lineWidth = 5;
  pen.strokeStyle = "#ffffff";
  pen.stroke();
  pen.lineWidth = 3;
  pen.strokeStyle = colour;
  pen.stroke();
}

function spot(pen: CanvasRenderingContext2D, x: number, y: number, scale: number): void {
  pen.beginPath();
  pen.arc(x, y, Math.max(6, Math.min(14, scale * 0.06)), 0, 2 * Math.PI);
  pen.lineWidth = 5;
  pen.strokeStyle = "#000000";
  pen.stroke();
  pen.lineWidth = 2.5;
  pen.strokeStyle = "#ffffff";
  pen.stroke();
}

function picture(
  pen: CanvasRenderingContext2D,
  scene: Scene,
  sheet: ImageBitmap,
  unit: number,
  x: number,
  y: number,
  side: number,
): void {
  const s = scene.sheetSide;
  const [column, row] = [unit % scene.sheetColumns, Math.floor(unit / scene.sheetColumns)];
  pen.drawImage(sheet, column * s, row * s, s, s, x - side / 2, y - side / 2, side, side);
}

/** The members of a unit: from the sheet when the cell is small, from tiles when one looks closer. */
function members(
  pen: CanvasRenderingContext2D,
  scene: Scene,
  painted: Painted,
  unit: number,
  x: number,
  y: number,
  side: number,
  scale: number,
  copy: boolean,
): void {
  const slots = slotsPerSide(scene.hits[unit]);
  if (!slots) return;
  const slot = side / slots;
  const rows = Math.floor(scene.hits[unit] / slots);
  pen.save();
  pen.beginPath(); // the last row may not be full
  pen.rect(x - side / 2, y - side / 2, side, rows * slot);
  pen.rect(x - side / 2, y - side / 2 + rows * slot, (scene.hits[unit] - rows * slots) * slot, slot);
  pen.clip();
  const sheet = scene.sheets.get("mosaic");
  if (sheet) picture(pen, scene, sheet, unit, x, y, side); // until the tiles are there
  const ratio = window.devicePixelRatio || 1;
  if (side * ratio > scene.sheetSide && scene.tile && !copy) {
    const size = scene.tileSizes.find((one) => one >= slot * ratio) ?? scene.tileSizes.at(-1)!;
    const perTile = TILE / size;
    const tiles = Math.ceil(slots / perTile);
    for (let row = 0; row < tiles; row++) {
      for (let column = 0; column < tiles; column++) {
        const [left, top] = [x - side / 2 + column * perTile * slot, y - side / 2 + row * perTile * slot];
        if (left > pen.canvas.width || top > pen.canvas.height) continue;
        if (left + perTile * slot < 0 || top + perTile * slot < 0) continue;
        const image = scene.tile(unit, size, row, column);
        if (!image) continue;
        pen.drawImage(image, left, top, (image.width / size) * slot, (image.height / size) * slot);
      }
    }
  }
  pen.restore();
  if (!painted.chosen) return;
  // What is not chosen stays visible, pale.
  pen.fillStyle = painted.dark ? "#1a1c20c0" : "#ffffffc0";
  if (slot < 3) {
    if (painted.share && painted.share[unit] === 0) pen.fillRect(x - side / 2, y - side / 2, side, side);
    return;
  }
  for (let at = scene.starts[unit]; at < scene.starts[unit + 1]; at++) {
    const item = scene.order[at];
    if (painted.chosen[item]) continue;
    pen.fillRect(
      x + (scene.itemX[item] - scene.x[unit]) * scale - slot / 2,
      y + (scene.itemY[item] - scene.y[unit]) * scale - slot / 2,
      slot,
      slot,
    );
  }
}

function bar(pen: CanvasRenderingContext2D, x: number, y: number, side: number, share: number): void {
  const height = Math.max(3, side * 0.07);
  pen.fillStyle = "#000000a0";
  pen.fillRect(x - side / 2, y + side / 2 - height, side, height);
  pen.fillStyle = "#e69f00";
  pen.fillRect(x - side / 2, y + side / 2 - height, side * share, height);
}

function label(
  pen: CanvasRenderingContext2D,
  x: number,
  y: number,
  scale: number,
  name: string,
  count: string,
  words: string[],
  mode: string,
  fill: string,
  ink: string,
): void {
  if (scale >= 44 && (mode === "layer" || mode === "prototypes") && words.length) {
    const size = Math.min(15, scale / 6);
    pen.font = `${size}px system-ui, sans-serif`;
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.fillStyle = fill ? inkOn(fill) : ink;
    words.slice(0, 3).forEach((word, i) => pen.fillText(word, x, y + (i - 1) * size * 1.25, scale * 0.86));
  }
  const text = [name, count].filter(Boolean).join(": ");
  if (!text || scale < 34) return;
  const size = Math.max(10, Math.min(14, scale / 7));
  pen.font = `600 ${size}px system-ui, sans-serif`;
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  const width = Math.min(pen.measureText(text).width + 8, scale * 0.92);
  const top = y - scale * 0.44;
  pen.fillStyle = "#000000b8";
  pen.fillRect(x - width / 2, top, width, size + 5);
  pen.fillStyle = "#ffffff";
  pen.fillText(text, x, top + size / 2 + 3, width - 6);
}

function connect(
  pen: CanvasRenderingContext2D,
  scene: Scene,
  toX: (x: number) => number,
  toY: (y: number) => number,
  scale: number,
  lines: Array<[number, number, number]>,
  colour: string,
): void {
  const most = lines.reduce((high, line) => Math.max(high, line[2]), 0);
  pen.lineCap = "round";
  for (const [a, b, weight] of lines) {
    const bx = scene.x[a] + shorter(scene.x[b] - scene.x[a], scene.period?.[0]);
    const by = scene.y[a] + shorter(scene.y[b] - scene.y[a], scene.period?.[1]);
    const thick = most ? Math.max(1, 0.12 * scale * (weight / most)) : Math.max(1.5, scale * 0.04);
    pen.beginPath();
    pen.moveTo(toX(scene.x[a]), toY(scene.y[a]));
    pen.lineTo(toX(bx), toY(by));
    for (const [width, ink] of [[thick + 2, "#ffffffb0"], [thick, colour]] as const) {
      [pen.lineWidth, pen.strokeStyle] = [width, ink]; // with a pale edge, to be seen on dark pictures
      pen.stroke();
    }
  }
}

const shorter = (way: number, period?: number) =>
  period && Math.abs(way) > period / 2 ? way - Math.sign(way) * period : way;

let layerOfDots: HTMLCanvasElement | null = null;

function dots(
  pen: CanvasRenderingContext2D,
  width: number,
  height: number,
  scene: Scene,
  painted: Painted,
  toX: (x: number) => number,
  toY: (y: number) => number,
  scale: number,
): void {
  layerOfDots ??= document.createElement("canvas");
  const ratio = window.devicePixelRatio || 1;
  const [w, h] = [Math.ceil(width * ratio), Math.ceil(height * ratio)];
  if (layerOfDots.width !== w || layerOfDots.height !== h) [layerOfDots.width, layerOfDots.height] = [w, h];
  const own = layerOfDots.getContext("2d")!;
  const image = own.createImageData(w, h);
  const pixels = new Uint32Array(image.data.buffer);
  const side = pictureSide(scene.hexagonal) * scale * ratio;
  const pale = painted.dark ? 0xff4a4846 : 0xffc8c8c8;
  for (const last of painted.chosen ? [false, true] : [true]) {
    for (let unit = 0; unit < scene.x.length; unit++) {
      const slot = side / slotsPerSide(Math.max(1, scene.hits[unit]));
      const size = Math.max(1, Math.round(Math.min(12 * ratio, slot * 0.7)));
      for (let at = scene.starts[unit]; at < scene.starts[unit + 1]; at++) {
        const i = scene.order[at];
        const chosen = !painted.chosen || painted.chosen[i] === 1;
        if (chosen !== last) continue;
        const left = Math.round(toX(scene.itemX[i]) * ratio - size / 2);
        const top = Math.round(toY(scene.itemY[i]) * ratio - size / 2);
        if (left < 0 || top < 0 || left + size > w || top + size > h) continue;
        const colour = chosen ? painted.inks[i] : pale;
        for (let row = 0; row < size; row++) pixels.fill(colour, (top + row) * w + left, (top + row) * w + left + size);
      }
    }
  }
  own.putImageData(image, 0, 0);
  pen.drawImage(layerOfDots, 0, 0, width, height);
}

function outline(
  pen: CanvasRenderingContext2D,
  shape: number[],
  toX: (x: number) => number,
  toY: (y: number) => number,
  ink: string,
): void {
  pen.beginPath();
  for (let i = 0; i < shape.length; i += 2) pen.lineTo(toX(shape[i]), toY(shape[i + 1]));
  pen.closePath();
  pen.fillStyle = "#0072b230";
  pen.fill();
  pen.setLineDash([5, 4]);
  pen.lineWidth = 1.5;
  pen.strokeStyle = ink;
  pen.stroke();
  pen.setLineDash([]);
}

const hatches = new Map<boolean, CanvasPattern>();

function hatching(pen: CanvasRenderingContext2D, dark: boolean): CanvasPattern | string {
  const known = hatches.get(dark);
  if (known) return known;
  const square = document.createElement("canvas");
  square.width = square.height = 8;
  const own = square.getContext("2d")!;
  own.fillStyle = dark ? "#2a2d33" : "#f1f1f1";
  own.fillRect(0, 0, 8, 8);
  own.strokeStyle = dark ? "#565b64" : "#b5b5b5";
  own.beginPath();
  for (const start of [-8, 0, 8]) {
    own.moveTo(start, 8);
    own.lineTo(start + 8, 0);
  }
  own.stroke();
  const made = pen.createPattern(square, "repeat");
  if (made) hatches.set(dark, made);
  return made ?? "#e3e3e3";
}

let speckle: CanvasPattern | null = null;

/** Over a colour that is not to be trusted. */
function dotted(pen: CanvasRenderingContext2D): CanvasPattern | string {
  if (speckle) return speckle;
  const square = document.createElement("canvas");
  square.width = square.height = 7;
  const own = square.getContext("2d")!;
  own.fillStyle = "#60606098";
  own.fillRect(2, 2, 2, 2);
  speckle = pen.createPattern(square, "repeat");
  return speckle ?? "#00000000";
}

/** Black or white, whichever can be read on a colour "#rrggbb". */
export function inkOn(colour: string): string {
  const part = (i: number) => {
    const value = parseInt(colour.slice(i, i + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  const luminance = 0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5);
  return (luminance + 0.05) ** 2 > 0.05 * 1.05 ? "#000000" : "#ffffff";
}
