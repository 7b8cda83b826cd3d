// What leaves the page: tables and pictures, made here, downloaded by the browser.
import { paint } from "../draw/paint";
import { svgOf } from "../draw/svg";
import type { Explorer } from "./explorer.svelte";
import { isCopy } from "./server";

/** What of a drawing is no item. */
const NOTHING = { fills: null, lines: null, words: null, names: new Map(), arrived: null, framed: null, hatched: null, active: -1, item: -1, found: [], probe: null, shape: [] };

function download(name: string, content: Blob): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** A field as RFC 4180 writes it; what a spreadsheet would take for a formula begins with an apostrophe. */
function field(text: string): string {
  const safe = /^[=+\-@\t\r]/.test(text) && !/^-?[\d.]+(e[+-]?\d+)?$/i.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** The chosen items, or all: id, unit, its name, distance, percentile, label. */
export function csvOf(explorer: Explorer): string {
  const { metadata } = explorer;
  const head = ["id", "unit", "unit_name", "distance", "percentile", "label", ...metadata.map(({ title }) => title)];
  const rows = [head.map(field).join(",")];
  const known = (value: number, text: string) => (Number.isNaN(value) ? "" : text);
  for (let item = 0; item < explorer.unit.length; item++) {
    if (explorer.chosen && !explorer.mask[item]) continue;
    const unit = explorer.unit[item];
    const values = [
      explorer.idOf(item),
      String(unit),
      explorer.notes[unit]?.name ?? "",
      known(explorer.distance[item], String(explorer.distance[item])),
      known(explorer.percentile[item], explorer.percentile[item].toFixed(2)),
      explorer.labelOf(item),
      ...metadata.map(({ names, values }) => (names.length ? (names[values[item]] ?? "") : known(values[item], String(values[item])))),
    ];
    rows.push(values.map(field).join(","));
  }
  return `${rows.join("\r\n")}\r\n`;
}

const base = (explorer: Explorer) => explorer.run.folder.replace(/[^\w.-]+/g, "-") || "map";

export function exportCsv(explorer: Explorer): void {
  const name = `${base(explorer)}-${explorer.chosen ? "selection" : "items"}.csv`;
  download(name, new Blob([csvOf(explorer)], { type: "text/csv;charset=utf-8" }));
}

/** The chosen items, or all, as a table or as paths, which the server knows; a copy knows their ids. */
export async function exportRows(explorer: Explorer, kind: "parquet" | "paths"): Promise<void> {
  const name = `${base(explorer)}-${explorer.chosen ? "selection" : "items"}.${kind === "paths" ? "txt" : kind}`;
  const mask = explorer.chosen ? explorer.mask : explorer.mask.map(() => 1);
  try {
    if (!isCopy) return download(name, await explorer.source.rows(kind, bitsOf(mask)));
    const ids: string[] = [];
    mask.forEach((one, item) => one && ids.push(explorer.idOf(item)));
    download(name, new Blob([`${ids.join("\n")}\n`], { type: "text/plain;charset=utf-8" }));
  } catch (error) {
    explorer.message = (error as Error).message;
  }
}

/** One bit for each item, the first in the most significant place of the first byte. */
function bitsOf(mask: Uint8Array): Uint8Array<ArrayBuffer> {
  const bits = new Uint8Array(Math.ceil(mask.length / 8));
  mask.forEach((one, item) => one && (bits[item >> 3] |= 128 >> (item & 7)));
  return bits;
}

export function exportPng(explorer: Explorer): void {
  const canvas = document.getElementById(`${explorer.side}canvas`) as HTMLCanvasElement;
  const whole = document.createElement("canvas");
  [whole.width, whole.height] = [canvas.width, canvas.height];
  const pen = whole.getContext("2d")!;
  pen.fillStyle = explorer.dark ? "#16181c" : "#ffffff";
  pen.fillRect(0, 0, whole.width, whole.height);
  pen.drawImage(canvas, 0, 0);
  try {
    whole.toBlob((picture) => picture && download(`${base(explorer)}.png`, picture), "image/png");
  } catch {
    explorer.message = "This copy shows pictures from other files: the browser does not let them be saved again.";
  }
}

/** What is on the screen: cells, names and marks as shapes, the pictures as they are; of items a picture of them all. */
export function exportSvg(explorer: Explorer): void {
  const { scene, view, painted, size } = explorer;
  const { mode } = painted;
  const items = mode === "mosaic" || mode === "dots";
  const sheet = scene.sheets.get(mode);
  const canvas = document.createElement("canvas");
  const pen = canvas.getContext("2d")!;
  if (items) {
    const ratio = window.devicePixelRatio || 1;
    [canvas.width, canvas.height] = [Math.round(size[0] * ratio), Math.round(size[1] * ratio)];
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    paint(pen, ...size, scene, view, { ...painted, ...NOTHING });
  } else if (sheet) {
    [canvas.width, canvas.height] = [sheet.width, sheet.height];
    pen.drawImage(sheet, 0, 0);
  }
  try {
    const picture = items || sheet ? canvas.toDataURL("image/png") : "";
    const title = `${explorer.run.name}: ${explorer.shown?.title ?? ""}`;
    download(`${base(explorer)}.svg`, new Blob([svgOf(scene, painted, view, size, mode, picture, title)], { type: "image/svg+xml" }));
  } catch {
    explorer.message = "This copy shows pictures from other files: the browser does not let them be saved again.";
  }
}
