// The view as an SVG file: cells, marks and labels as shapes, pictures as they are, to be used in a text or on a poster.
import { corners, inkOn } from "./paint";
import { pictureSide, type Mode, type Painted, type Scene, type View } from "./scene";

const escaped = (text: string) => text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
const short = (value: number) => String(Number(value.toFixed(2)));

/**
 * picture: a data address: of the sheet of the units, or in the modes of items of all that is seen of them; "" for none.
 * size: of the view in pixels. mode: what the cells show at this scale.
 */
export function svgOf(
  scene: Scene,
  painted: Painted,
  view: View,
  [width, height]: [number, number],
  mode: Mode,
  picture: string,
  title: string,
): string {
  const { scale } = view;
  const items = mode === "mosaic" || mode === "dots";
  const side = pictureSide(scene.hexagonal) * scale;
  const [cells, pictures, marks]: string[][] = [[], [], []];
  const polygon = (x: number, y: number, size: number, rest: string) => {
    const points = corners(x, y, size, scene.hexagonal).map((point) => point.map(short).join(","));
    return `<polygon points="${points.join(" ")}" ${rest}/>`;
  };
  const text = (x: number, y: number, size: number, words: string, rest = "") =>
    `<text x="${short(x)}" y="${short(y)}" font-size="${short(size)}" font-family="sans-serif" text-anchor="middle" ${rest}>${escaped(words)}</text>`;
  const ink = painted.dark ? "#e8e8e8" : "#1c1c1c";
  for (let unit = 0; unit < scene.x.length; unit++) {
    const [x, y] = [(scene.x[unit] - view.x) * scale + width / 2, (scene.y[unit] - view.y) * scale + height / 2];
    if (x < -scale || y < -scale || x > width + scale || y > height + scale) continue;
    const pale = painted.share?.[unit] === 0 ? 0.35 : 1;
    const fill = painted.fills?.[unit];
    const strength = pale * (mode === "dots" ? 0.3 : 1);
    if (painted.fills) cells.push(polygon(x, y, scale, `fill="${fill || "url(#none)"}" opacity="${strength}"`));
    if (painted.hatched?.[unit]) cells.push(polygon(x, y, scale, 'fill="url(#unsure)"'));
    if (picture && !items && (scene.hits[unit] || (mode === "prototypes" && scene.learned))) {
      const s = scene.sheetSide;
      const box = `${(unit % scene.sheetColumns) * s} ${Math.floor(unit / scene.sheetColumns) * s} ${s} ${s}`;
      const place = `x="${short(x - side / 2)}" y="${short(y - side / 2)}" width="${short(side)}" height="${short(side)}"`;
      pictures.push(`<svg ${place} viewBox="${box}" opacity="${pale}"><use href="#sheet"/></svg>`);
    }
    if (painted.framed?.[unit]) {
      marks.push(polygon(x, y, scale * 0.96, `fill="none" stroke="${ink}" stroke-width="${short(Math.max(2, scale * 0.05))}"`));
    }
    if (painted.words && (mode === "layer" || mode === "prototypes") && scale >= 44) {
      const size = Math.min(15, scale / 6);
      const colour = fill ? inkOn(fill) : ink;
      painted.words[unit]?.slice(0, 3).forEach((word, i) => marks.push(text(x, y + (i - 0.7) * size * 1.25, size, word, `fill="${colour}"`)));
    }
    const name = painted.names.get(unit);
    if (name) marks.push(text(x, y - scale * 0.32, Math.max(10, Math.min(14, scale / 7)), name, 'stroke="#fff" stroke-width="3" paint-order="stroke"'));
    if (unit === painted.active || painted.found.includes(unit)) {
      marks.push(polygon(x, y, scale * 1.03, `fill="none" stroke="${unit === painted.active ? ink : "#d55e00"}" stroke-width="3"`));
    }
  }
  const rows = Math.ceil(scene.x.length / scene.sheetColumns);
  const sheet = `<image id="sheet" width="${scene.sheetColumns * scene.sheetSide}" height="${rows * scene.sheetSide}" href="${picture}"/>`;
  const all = `<image width="${short(width)}" height="${short(height)}" href="${picture}"/>`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${short(width)} ${short(height)}"><title>${escaped(title)}</title><defs>`,
    '<pattern id="none" width="8" height="8" patternUnits="userSpaceOnUse"><rect width="8" height="8" fill="#f1f1f1"/><path d="M0 8L8 0" stroke="#b5b5b5"/></pattern>',
    '<pattern id="unsure" width="7" height="7" patternUnits="userSpaceOnUse"><rect x="2" y="2" width="2" height="2" fill="#606060"/></pattern>',
    picture && !items ? sheet : "",
    `</defs><rect width="100%" height="100%" fill="${painted.dark ? "#16181c" : "#ffffff"}"/>`,
    ...cells,
    picture && items ? all : "",
    ...pictures,
    ...marks,
    "</svg>\n",
  ].join("");
}
