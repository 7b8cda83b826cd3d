// The view as an SVG file: cells, pictures and labels as they are, to be used in a text or on a poster.
import { corners } from "./paint";
import { pictureSide, type Painted, type Scene } from "./scene";

const escaped = (text: string) =>
  text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

/** sheet: the pictures of the units as a data address, "" for none. */
export function svgOf(scene: Scene, painted: Painted, sheet: string, title: string): string {
  const step = 96;
  const [xs, ys] = [Array.from(scene.x), Array.from(scene.y)];
  const [left, top] = [Math.min(...xs) - 0.6, Math.min(...ys) - 0.6];
  const [width, height] = [(Math.max(...xs) + 0.6 - left) * step, (Math.max(...ys) + 0.6 - top) * step];
  const side = pictureSide(scene.hexagonal) * step;
  const rows = Math.ceil(xs.length / scene.sheetColumns);
  const [w, h] = [scene.sheetColumns * scene.sheetSide, rows * scene.sheetSide];
  const parts: string[] = [];
  if (sheet) parts.push(`<defs><image id="sheet" width="${w}" height="${h}" href="${sheet}"/></defs>`);
  xs.forEach((_, unit) => {
    const [x, y] = [(xs[unit] - left) * step, (ys[unit] - top) * step];
    const points = corners(x, y, step, scene.hexagonal)
      .map((point) => point.map((v) => v.toFixed(1)).join(","))
      .join(" ");
    const fill = painted.fills ? painted.fills[unit] || "#e3e3e3" : "none";
    const pale = painted.share && painted.share[unit] === 0 ? ' opacity="0.25"' : "";
    parts.push(`<g${pale}><polygon points="${points}" fill="${fill}"/>`);
    if (sheet) {
      const [cx, cy] = [unit % scene.sheetColumns, Math.floor(unit / scene.sheetColumns)];
      const box = `${cx * scene.sheetSide} ${cy * scene.sheetSide} ${scene.sheetSide} ${scene.sheetSide}`;
      parts.push(
        `<svg x="${x - side / 2}" y="${y - side / 2}" width="${side}" height="${side}" viewBox="${box}"><use href="#sheet"/></svg>`,
      );
    }
    const name = painted.names.get(unit);
    if (name) {
      parts.push(
        `<text x="${x}" y="${y + step * 0.46}" font-size="12" font-family="sans-serif" text-anchor="middle" stroke="#fff" stroke-width="3" paint-order="stroke">${escaped(name)}</text>`,
      );
    }
    parts.push("</g>");
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width.toFixed(1)} ${height.toFixed(1)}"><title>${escaped(title)}</title>${parts.join("")}</svg>\n`;
}
