// What is drawn: plain data, known to the drawing alone. Lengths are lattice steps unless a name says pixels.

export type Mode = "prototypes" | "medoids" | "mosaic" | "dots" | "layer";
export type View = { x: number; y: number; scale: number }; // centre; pixels in one lattice step

export type Scene = {
  x: Float32Array; // (K,) places of the units
  y: Float32Array;
  hexagonal: boolean;
  period: [number, number] | null; // of a torus
  edges: [Int32Array, Int32Array] | null; // drawn as lines where units have no lattice
  hits: Int32Array;
  starts: Int32Array; // (K + 1,) where a unit's members begin in `order`
  order: Int32Array; // (n,) items by unit, nearest first
  itemX: Float32Array; // (n,) places of the items
  itemY: Float32Array;
  learned: boolean; // whether empty units have a prototype, too
  sheets: Map<string, ImageBitmap>;
  sheetSide: number; // pixels
  sheetColumns: number;
  tileSizes: number[]; // pixels of an item in the tiles that there are, ascending
  tile: ((unit: number, size: number, row: number, column: number) => ImageBitmap | null) | null;
};

export type Painted = {
  mode: Mode;
  fills: string[] | null; // (K,) colour of each unit's cell; "" is hatched: there is no value
  inks: Uint32Array; // (n,) colour of each dot, as canvas pixels hold it
  lines: Float32Array | null; // (L * 3) unit, unit, thickness
  words: string[][] | null; // of each unit
  names: Map<number, string>; // given by a person
  chosen: Uint8Array | null; // (n,) items that are chosen; null where none is
  share: Float32Array | null; // (K,) of a unit's members that is chosen
  arrived: Float32Array | null; // (K,) items that a choice on another map brings here
  framed: Uint8Array | null; // (K,) units that stand out
  hatched: Uint8Array | null; // (K,) units whose value is not to be trusted
  active: number; // unit, -1 for none
  item: number; // item, -1 for none
  found: number[]; // units that are ringed
  probe: [number, number] | null;
  shape: number[]; // of a lasso or box that is being drawn
  dark: boolean;
};

export const TILE = 512; // pixels of a tile
export const FILL = 0.94; // of a lattice step, the side of a cell

export const slotsPerSide = (hits: number) => Math.ceil(Math.sqrt(hits));

/** Side of the square for pictures in a cell: as large as fits, with room for a frame in the layer's colour. */
export const pictureSide = (hexagonal: boolean) => (hexagonal ? 0.68 : 0.82);

/** Where every item lies: in its slot of its unit's square, row by row. */
export function placeItems(
  x: Float32Array,
  y: Float32Array,
  hexagonal: boolean,
  starts: Int32Array,
  order: Int32Array,
): [Float32Array, Float32Array] {
  const [itemX, itemY] = [new Float32Array(order.length), new Float32Array(order.length)];
  const side = pictureSide(hexagonal);
  for (let unit = 0; unit < x.length; unit++) {
    const slots = slotsPerSide(starts[unit + 1] - starts[unit]);
    for (let at = starts[unit]; at < starts[unit + 1]; at++) {
      const rank = at - starts[unit];
      itemX[order[at]] = x[unit] + side * (((rank % slots) + 0.5) / slots - 0.5);
      itemY[order[at]] = y[unit] + side * ((Math.floor(rank / slots) + 0.5) / slots - 0.5);
    }
  }
  return [itemX, itemY];
}

export function bounds(scene: Scene): [number, number, number, number] {
  let [left, right, top, bottom] = [Infinity, -Infinity, Infinity, -Infinity];
  for (let unit = 0; unit < scene.x.length; unit++) {
    left = Math.min(left, scene.x[unit]);
    right = Math.max(right, scene.x[unit]);
    top = Math.min(top, scene.y[unit]);
    bottom = Math.max(bottom, scene.y[unit]);
  }
  return [left - 0.6, right + 0.6, top - 0.6, bottom + 0.6];
}

/** The view that shows the whole map in a picture of this size. */
export function wholeView(scene: Scene, width: number, height: number): View {
  const [left, right, top, bottom] = bounds(scene);
  const scale = Math.max(4, Math.min(width / (right - left), height / (bottom - top)));
  return { x: (left + right) / 2, y: (top + bottom) / 2, scale };
}

/** The unit at a place, -1 where there is none; on a torus also in the repeated parts. */
export function unitAt(scene: Scene, x: number, y: number): number {
  let [best, nearest] = [-1, 0.6 * 0.6];
  for (let unit = 0; unit < scene.x.length; unit++) {
    let [dx, dy] = [Math.abs(scene.x[unit] - x), Math.abs(scene.y[unit] - y)];
    if (scene.period) {
      dx = Math.min(dx % scene.period[0], scene.period[0] - (dx % scene.period[0]));
      dy = Math.min(dy % scene.period[1], scene.period[1] - (dy % scene.period[1]));
    }
    const far = dx * dx + dy * dy;
    if (far < nearest) [best, nearest] = [unit, far];
  }
  return best;
}

/** The item whose slot is at a place of a unit, -1 for none. */
export function itemAt(scene: Scene, unit: number, x: number, y: number): number {
  const slots = slotsPerSide(scene.hits[unit]);
  const side = pictureSide(scene.hexagonal);
  const column = Math.floor(((x - scene.x[unit]) / side + 0.5) * slots);
  const row = Math.floor(((y - scene.y[unit]) / side + 0.5) * slots);
  const rank = row * slots + column;
  const there = column >= 0 && column < slots && row >= 0 && rank < scene.hits[unit];
  return there ? scene.order[scene.starts[unit] + rank] : -1;
}

/** What the cells show at this scale, where `whole` shows the whole map: the closer, the more of the members. */
export function shownAs(mode: Mode, scale: number, whole: number, scene: Scene): Mode {
  const cell = scale * pictureSide(scene.hexagonal);
  const closer = scale / whole; // large cells of a small map are not a closer look
  if (mode !== "prototypes" && mode !== "medoids") return mode;
  if (cell > 260 && closer > 2 && scene.tile) return "mosaic";
  if (cell > 130 && closer > 1.3 && scene.sheets.has("medoids")) return "medoids";
  return mode;
}
