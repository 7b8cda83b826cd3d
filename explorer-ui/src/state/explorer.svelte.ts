// The state of the page: what was loaded, what is shown, what is chosen; it reads and writes the address.
import { bounds, placeItems, shownAs, slotsPerSide, TILE, wholeView, type Mode, type Painted, type Scene, type View } from "../draw/scene";
import { type Columns } from "./columns";
import { combine, count, inside, read, write, type Mask } from "./selection";
import * as server from "./server";

export type Layer = {
  key: string;
  title: string;
  type: "value" | "class" | "cluster" | "word";
  text: string;
  unit?: string;
  low?: number;
  high?: number;
  group?: string;
  words?: string[][];
  names?: string[]; // of classes; those of the labels where there are none
  diverging?: boolean;
  said?: string[]; // of each unit
};
/** A further column of the items: classes by their names, or numbers where there are none. */
export type Column = { key: string; title: string; names: string[]; values: Int32Array | Float32Array };
export type Tool = "move" | "box" | "lasso" | "probe";
type LayerMeta = { layers: Layer[]; features: string[][] };
type ItemMeta = { metadata: Array<{ key: string; title: string; names: string[] }> };

export const MODES: Array<{ mode: Mode; key: string; title: string; text: string }> = [
  { mode: "prototypes", key: "1", title: "Prototypes", text: "What each unit has learned. Zoom in to see its items." },
  { mode: "medoids", key: "2", title: "Medoids", text: "The item nearest to each prototype. Zoom in for more." },
  { mode: "mosaic", key: "3", title: "Mosaic", text: "All items, at their unit; of more than 256 an even choice." },
  { mode: "dots", key: "4", title: "Dots", text: "Each item as a dot at its unit, in the colour of its label." },
  { mode: "layer", key: "5", title: "Colours", text: "The layer alone." },
];
const MOST_IN_ADDRESS = 6000; // characters
const UNDOS = 50;

export class Explorer {
  run: server.RunRecord = $state.raw(null!);
  scene: Scene = $state.raw(null!);
  items: Columns<ItemMeta> = $state.raw(null!);
  layers: Layer[] = $state.raw([]);
  layerColumns: Columns<LayerMeta> = $state.raw(null!);
  notes: Record<string, server.Note> = $state.raw({});
  view: View = $state.raw({ x: 0, y: 0, scale: 40 });
  mode: Mode = $state("prototypes");
  layer: string = $state("");
  tool: Tool = $state("move");
  active: number = $state(-1);
  item: number = $state(-1);
  mask: Mask = $state.raw(new Uint8Array());
  undos: Mask[] = $state.raw([]);
  shape: number[] = $state.raw([]);
  received: boolean = $state(false); // the choice came from a map beside this one
  code: { of: string; away: Int32Array; bits: Uint8Array } | null = $state.raw(null);
  radius: number = $state(0);
  placed: (server.Placed & { distances: Float32Array; neighbours: number[]; far: number[] }) | null = $state.raw(null);
  probe: [number, number] | null = $state.raw(null);
  message: string = $state("");
  dark: boolean = $state(false);
  loads: number = $state(0); // pictures that have arrived: drawing again
  size: [number, number] = $state.raw([800, 600]);
  idOf: (item: number) => string = () => "";
  textOf: ((item: number) => string) | null = null;
  label: Int32Array = new Int32Array();
  unit: Int32Array = new Int32Array();
  distance: Float32Array = new Float32Array();
  percentile: Float32Array = new Float32Array();
  readonly tiles = new Map<string, ImageBitmap | null>();
  metadata: Column[] = [];
  dimensions: string[] = []; // names of what a unit can be weighed by, none where nobody could tell them
  codes: Float32Array = new Float32Array(); // (K * L) prototypes in the space in which the map compares
  relevances: Float32Array | null = null; // (K * L) learned, from 0 to 1
  weights: Float32Array = $state.raw(new Float32Array()); // (L,) of the dials
  origin: number = $state(-1); // the unit from which the weighted distances are
  onChoice: ((empty?: number) => void) | null = null; // empty: a unit without items that was chosen
  extra: Record<string, string> = {}; // what else the address holds
  loaded = 0; // tiles
  complete: Promise<void> = Promise.resolve(); // until the items are there, too
  private ids: string[] | null = null;

  /** side: "" for the map that the address describes, or the beginning of another's names in the page. */
  constructor(
    readonly source: server.Source,
    readonly side: string,
  ) {}

  chosen: number = $derived(count(this.mask));
  shown: Layer | undefined = $derived(this.layers.find((one) => one.key === this.layer));
  counts: Float32Array | null = $derived.by(() => {
    if (!this.chosen) return null;
    const counts = new Float32Array(this.scene.x.length);
    for (let i = 0; i < this.mask.length; i++) counts[this.unit[i]] += this.mask[i];
    return counts;
  });
  share: Float32Array | null = $derived(
    this.counts && this.counts.map((n, unit) => (this.scene.hits[unit] ? n / this.scene.hits[unit] : 0)),
  );
  fills: string[] | null = $derived.by(() => this.colours());
  inks: Uint32Array = $derived.by(() => (this.items && this.mode === "dots" ? this.inksOf() : new Uint32Array()));
  /** (K,) distance of each unit to the origin, sqrt(sum_l w_l (c_jl - c_ol)^2), with the weights of the dials. */
  weighted: Float32Array | null = $derived.by(() => {
    if (this.origin < 0) return null;
    const [length, own] = [this.dimensions.length, this.origin * this.dimensions.length];
    const { codes, weights } = this;
    return Float32Array.from(this.scene.x, (_, unit) => {
      let sum = 0;
      for (let l = 0; l < length; l++) sum += weights[l] * (codes[unit * length + l] - codes[own + l]) ** 2;
      return Math.sqrt(sum);
    });
  });
  /** What the cells show: with a closer look more of what a unit holds. */
  drawn: Mode = $derived.by(() => {
    void this.loads; // pictures that were not there
    return shownAs(this.mode, this.view.scale, wholeView(this.scene, ...this.size).scale, this.scene);
  });
  painted: Painted = $derived({
    mode: this.drawn,
    fills: this.fills,
    inks: this.inks,
    lines: this.layerColumns.has(`${this.layer}.lines`) ? this.layerColumns.floats(`${this.layer}.lines`) : null,
    words: this.layers.find((one) => one.type === "word")?.words ?? null,
    names: new Map(Object.entries(this.notes).flatMap(([unit, { name }]) => (name ? [[Number(unit), name]] : []))),
    chosen: this.chosen ? this.mask : null,
    share: this.share,
    arrived: this.received ? this.counts : null,
    framed: this.marks("framed"),
    hatched: this.marks("hatched"),
    active: this.active,
    item: this.item,
    found: this.placed ? [this.placed.unit] : [],
    probe: this.tool === "probe" ? this.probe : null,
    shape: this.shape,
    dark: this.dark,
  });

  static async load(number = 0, side = ""): Promise<Explorer> {
    const source = new server.Source(number);
    const one = new Explorer(source, side);
    // All at once; the items, of which there may be a million, only when the first pictures are drawn.
    const [run, units, layers] = await Promise.all([
      source.run(),
      source.columns<{ dimensions: string[] }>("units"),
      source.columns<LayerMeta>("layers"),
    ]);
    one.run = run;
    one.notes = one.run.notes;
    one.layerColumns = layers;
    one.layers = layers.meta.layers;
    one.dimensions = units.meta.dimensions;
    one.codes = units.floats("codes");
    one.relevances = units.has("relevances") ? units.floats("relevances") : null;
    one.weights = new Float32Array(one.dimensions.length).fill(1);
    const { lattice, sheets } = one.run;
    const [x, y] = [units.floats("x"), units.floats("y")];
    one.scene = {
      x,
      y,
      hexagonal: lattice.shape === "hexagonal",
      period: lattice.toroidal ? [lattice.period[0], lattice.period[1]] : null,
      edges: lattice.graph ? [units.ints("edge_a"), units.ints("edge_b")] : null,
      hits: units.ints("hits"),
      starts: units.ints("starts"),
      order: new Int32Array(),
      itemX: new Float32Array(),
      itemY: new Float32Array(),
      learned: one.run.measured,
      sheets: new Map(),
      sheetSide: sheets.side,
      sheetColumns: sheets.columns,
      tileSizes: one.run.tile_sizes,
      tile: one.run.thumbnails ? (unit, size, row, column) => one.tile(unit, size, row, column) : null,
    };
    const has = (mode: Mode) => mode === "dots" || mode === "layer" || sheets.names.includes(mode);
    // Means of pictures say little: where there are no prototypes, an item stands for each unit.
    one.mode = !one.run.measured && has("medoids") ? "medoids" : MODES.find(({ mode }) => has(mode) && mode !== "dots")!.mode;
    one.layer = one.layers[0]?.key ?? "";
    one.neighbours = one.adjacency(units);
    if (!side) one.readAddress();
    one.complete = one.loadRest();
    if (one.mode !== "prototypes" && one.mode !== "medoids") await one.complete; // these need the items
    return one;
  }

  private takeItems(items: Columns<ItemMeta>): void {
    this.unit = items.ints("unit");
    this.label = items.ints("label");
    this.distance = items.floats("distance");
    this.percentile = items.floats("percentile");
    this.idOf = items.texts("id");
    this.textOf = items.has("text") ? items.texts("text") : null;
    this.mask = new Uint8Array(this.unit.length);
    this.metadata = items.meta.metadata.map((column) => ({
      ...column,
      values: column.names.length ? items.ints(column.key) : items.floats(column.key),
    }));
    const { x, y, hexagonal, starts } = this.scene;
    const order = items.ints("order");
    const [itemX, itemY] = placeItems(x, y, hexagonal, starts, order);
    this.scene = { ...this.scene, order, itemX, itemY };
    this.items = items;
    if (!this.side) this.readChoice();
  }

  modes = () =>
    MODES.filter(({ mode }) =>
      mode === "layer" ? true : mode === "dots" ? this.run.n_items > 0 : this.run.sheets.names.includes(mode),
    ).map((one) =>
      one.mode === "prototypes" && !this.run.measured
        ? { ...one, title: "Means", text: "The mean picture of each unit's images. Zoom in to see them." }
        : one,
    );

  neighbours: number[][] = [];

  private adjacency(units: Columns): number[][] {
    const near: number[][] = Array.from(this.scene.x, () => []);
    const [a, b] = [units.ints("edge_a"), units.ints("edge_b")];
    a.forEach((from, i) => {
      near[from].push(b[i]);
      near[b[i]].push(from);
    });
    return near;
  }

  /** The pictures that are shown first, then the items, then the other pictures. */
  private async loadRest(): Promise<void> {
    const { names } = this.run.sheets;
    if (names.includes(this.mode)) await this.loadSheet(this.mode);
    this.takeItems(await this.source.columns<ItemMeta>("items"));
    void (async () => {
      for (const name of names) if (!this.scene.sheets.has(name)) await this.loadSheet(name);
    })();
  }

  private async loadSheet(name: string): Promise<void> {
    await server.bitmap(this.source.picture(`api/sheet/${name}`)).then(
      (image) => this.scene.sheets.set(name, image),
      () => (this.message = `The pictures "${name}" could not be loaded.`),
    );
    this.loads++;
  }

  private tile(unit: number, size: number, row: number, column: number): ImageBitmap | null {
    const path = `${unit}/${size}/${row}/${column}`;
    const known = this.tiles.get(path);
    if (known !== undefined) return known;
    if (this.tiles.size > 600) this.tiles.clear();
    this.tiles.set(path, null);
    server.bitmap(this.source.tile(unit, size, row, column)).then(
      (image) => {
        this.tiles.set(path, image);
        this.loaded++;
        this.loads++;
      },
      () => undefined,
    );
    return null;
  }

  // Colours -------------------------------------------------------------------------------------------------------

  /** Black cannot be seen on a dark page: there it is white. */
  classColour = (index: number) => {
    const colour = this.run.label_colours[index % this.run.label_colours.length];
    return this.dark && colour === "#000000" ? "#ffffff" : colour;
  };

  rampColour(value: number, low: number, high: number, ramp = this.run.ramp): string {
    const at = high > low ? (value - low) / (high - low) : 0.5;
    return ramp[Math.max(0, Math.min(ramp.length - 1, Math.round(at * (ramp.length - 1))))];
  }

  private colours(): string[] | null {
    if (this.layer === "query" && this.placed) {
      const { distances } = this.placed;
      const [low, high] = [Math.min(...distances), Math.max(...distances)];
      return Array.from(distances, (value) => this.rampColour(low + high - value, low, high));
    }
    if (this.layer === "weighted" && this.weighted) {
      const most = this.weighted.reduce((high, far) => Math.max(high, far), 0);
      return Array.from(this.weighted, (far) => this.rampColour(most - far, 0, most));
    }
    const layer = this.shown;
    if (!layer || layer.type === "word") return null;
    if (layer.type === "value") {
      const [low, high] = [layer.low ?? 0, layer.high ?? 1];
      const ramp = layer.diverging ? this.run.diverging : this.run.ramp;
      return Array.from(this.layerColumns.floats(layer.key), (v) => (Number.isNaN(v) ? "" : this.rampColour(v, low, high, ramp)));
    }
    const purity = this.layerColumns.floats(`${layer.key}.purity`);
    return Array.from(this.layerColumns.ints(layer.key), (index, unit) => {
      if (index < 0) return "";
      return layer.type === "class" ? pale(this.classColour(index), purity[unit]) : this.classColour(index);
    });
  }

  private inksOf(): Uint32Array {
    const word = (colour: string) =>
      (0xff000000 |
        (parseInt(colour.slice(5, 7), 16) << 16) |
        (parseInt(colour.slice(3, 5), 16) << 8) |
        parseInt(colour.slice(1, 3), 16)) >>>
      0;
    const own = this.metadata.find(({ key }) => key === this.layer);
    const classed = own ? (own.names.length ? own.values : null) : this.run.label_names.length ? this.label : null;
    const [low, high] = own ? [this.shown?.low ?? 0, this.shown?.high ?? 1] : [0, 100];
    const values = own && !classed ? own.values : this.percentile;
    const classes = this.run.label_colours.map((_, index) => word(this.classColour(index)));
    const ramp = this.run.ramp.map(word);
    const none = word(this.dark ? "#8a8f98" : "#5f6670");
    const inks = new Uint32Array(this.unit.length).fill(none);
    const last = ramp.length - 1;
    for (let i = 0; i < inks.length; i++) {
      if (classed) {
        if (classed[i] >= 0) inks[i] = classes[classed[i] % classes.length];
      } else if (!Number.isNaN(values[i]) && high > low) {
        inks[i] = ramp[Math.max(0, Math.min(last, Math.round(((values[i] - low) / (high - low)) * last)))];
      }
    }
    return inks;
  }

  private marks(what: string): Uint8Array | null {
    const name = `${this.layer}.${what}`;
    return this.layerColumns.has(name) ? this.layerColumns.bytes(name) : null;
  }

  /** The classes that a layer or the dots are coloured by: their names and the class of each item. */
  classes(): { names: string[]; values: ArrayLike<number> } | null {
    const own = this.metadata.find(({ key }) => key === this.layer);
    if (own) return own.names.length ? own : null;
    const used = this.run.label_names.length > 0 && (this.shown?.type === "class" || this.mode === "dots");
    return used ? { names: this.run.label_names, values: this.label } : null;
  }

  // Choosing ------------------------------------------------------------------------------------------------------

  choose(found: Mask, how: "replace" | "add" | "toggle" = "replace", empty = -1): void {
    this.undos = [...this.undos.slice(1 - UNDOS), this.mask];
    this.mask = combine(this.mask, found, how);
    this.chose(empty);
  }

  /** Take over a choice that was made on the map beside this one. */
  receive(found: Mask): void {
    this.undos = [];
    this.mask = found;
    this.received = true;
    this.writeAddress();
  }

  private chose(empty = -1): void {
    this.received = false;
    this.onChoice?.(empty);
    this.writeAddress();
  }

  undo(): void {
    const last = this.undos.at(-1);
    if (!last) return;
    this.undos = this.undos.slice(0, -1);
    this.mask = last;
    this.chose();
  }

  /** The items for which a test holds. */
  where(test: (item: number) => boolean): Mask {
    const mask = new Uint8Array(this.unit.length);
    for (let item = 0; item < mask.length; item++) if (test(item)) mask[item] = 1;
    return mask;
  }

  /** The items of some units. */
  private itemsAt(units: Iterable<number>): Mask {
    const mask = new Uint8Array(this.unit.length);
    for (const unit of units) for (const item of this.membersOf(unit)) mask[item] = 1;
    return mask;
  }

  pick(unit: number, how: "replace" | "toggle" = "replace"): void {
    this.activate(unit);
    if (unit >= 0) this.choose(this.itemsAt([unit]), how, this.scene.hits[unit] ? -1 : unit);
  }

  activate(unit: number): void {
    this.active = unit;
    this.item = -1;
    this.writeAddress();
  }

  within(polygon: number[], how: "replace" | "add"): void {
    const { x, y, itemX, itemY } = this.scene;
    const units = Array.from(x.keys());
    if (this.drawn !== "mosaic" && this.drawn !== "dots") {
      this.choose(this.itemsAt(units.filter((unit) => inside(x[unit], y[unit], polygon))), how);
      return;
    }
    let [left, right, top, bottom] = [Infinity, -Infinity, Infinity, -Infinity];
    for (let i = 0; i < polygon.length; i += 2) {
      [left, right] = [Math.min(left, polygon[i]), Math.max(right, polygon[i])];
      [top, bottom] = [Math.min(top, polygon[i + 1]), Math.max(bottom, polygon[i + 1])];
    }
    // Only items of units near the polygon's box are looked at; no item lies farther than half a step from its unit.
    const near = (unit: number) => x[unit] > left - 0.5 && x[unit] < right + 0.5 && y[unit] > top - 0.5 && y[unit] < bottom + 0.5;
    const mask = new Uint8Array(this.unit.length);
    for (const unit of units.filter(near)) {
      for (const i of this.membersOf(unit)) {
        const boxed = itemX[i] >= left && itemX[i] <= right && itemY[i] >= top && itemY[i] <= bottom;
        if (boxed && inside(itemX[i], itemY[i], polygon)) mask[i] = 1;
      }
    }
    this.choose(mask, how);
  }

  /** Weigh a dimension, and colour the units by their distance to the active one. */
  weigh(dimension: number, weight: number): void {
    this.weights = this.weights.with(dimension, weight);
    this.showWeighted();
  }

  /** All dials at once: to the relevances that a unit has learned, or back to 1. */
  weighAll(unit: number | null): void {
    const length = this.dimensions.length;
    this.weights = unit !== null && this.relevances ? this.relevances.slice(unit * length, (unit + 1) * length) : new Float32Array(length).fill(1);
    this.showWeighted();
  }

  private showWeighted(): void {
    if (this.active >= 0) this.origin = this.active;
    this.layer = "weighted";
  }

  /** All items of the units that hold a chosen one, and of their neighbours. */
  grow(): void {
    const units = this.counts ? [...this.counts.keys()].filter((unit) => this.counts![unit]) : this.active >= 0 ? [this.active] : [];
    this.choose(this.itemsAt(units.flatMap((unit) => [unit, ...this.neighbours[unit]])));
  }

  invert = () => this.choose(this.mask.map((one) => 1 - one));
  clear = () => this.choose(new Uint8Array(this.unit.length));

  /**
   * Items whose id, label, text or metadata holds all words, and for which all conditions on columns hold, such as
   * "year>1990" or "colour=red"; how many.
   */
  find(text: string): number {
    const tests: Array<(item: number) => boolean> = [];
    const words: string[] = [];
    for (const word of text.toLowerCase().split(/\s+/).filter(Boolean)) {
      const [, name, sign, value] = /^(.+?)(=|<|>)(.+)$/.exec(word) ?? [];
      const column = this.metadata.find(({ title }) => title.toLowerCase().replace(/\s+/g, "_") === name);
      if (!column) words.push(word);
      else if (column.names.length) tests.push((i) => (column.names[column.values[i]] ?? "").toLowerCase() === value);
      else if (sign === "=") tests.push((i) => Math.abs(column.values[i] - Number(value)) < 1e-6 * Math.max(1, Math.abs(Number(value))));
      else tests.push((i) => (sign === "<" ? column.values[i] < Number(value) : column.values[i] > Number(value)));
    }
    if (!words.length && !tests.length) return 0;
    if (words.length) {
      const named = this.metadata.filter(({ names }) => names.length);
      this.ids ??= Array.from(this.unit, (_, i) =>
        [this.idOf(i), this.labelOf(i), this.textOf?.(i) ?? "", ...named.map((one) => one.names[one.values[i]] ?? "")]
          .join("\n")
          .toLowerCase(),
      );
    }
    this.choose(this.where((i) => words.every((word) => this.ids![i].includes(word)) && tests.every((test) => test(i))));
    return this.chosen;
  }

  /** Where an item's picture lies in the tiles of a static copy. */
  cutOf(item: number): { address: string; columns: number; row: number; column: number } {
    const unit = this.unit[item];
    const rank = this.membersOf(unit).indexOf(item);
    const slots = slotsPerSide(this.scene.hits[unit]);
    const perTile = TILE / this.scene.tileSizes[0];
    const [row, column] = [Math.floor(rank / slots), rank % slots];
    const [tileRow, tileColumn] = [Math.floor(row / perTile), Math.floor(column / perTile)];
    return {
      address: this.source.tile(unit, this.scene.tileSizes[0], tileRow, tileColumn),
      columns: Math.min(perTile, slots - tileColumn * perTile),
      row: row % perTile,
      column: column % perTile,
    };
  }

  labelOf = (item: number) => this.run.label_names[this.label[item]] ?? "";
  membersOf = (unit: number) => this.scene.order.subarray(this.scene.starts[unit], this.scene.starts[unit + 1]);

  // Asking --------------------------------------------------------------------------------------------------------

  async place(image: Blob): Promise<void> {
    this.message = "Looking for the place of this image …";
    try {
      const found = await this.source.place(image);
      const neighbours = [...found.ints("neighbours")];
      const far = [...found.floats("neighbour_distance")];
      this.placed = { ...found.meta, distances: found.floats("distance"), neighbours, far };
      this.activate(found.meta.unit);
      this.layer = "query";
      this.message = "";
      if (this.run.bits) this.code = { of: "your image", away: found.ints("away"), bits: found.bytes("bits") };
    } catch (error) {
      this.message = (error as Error).message;
    }
  }

  /** How far the codes of all items are from that of one, in bits. */
  async measure(item: number): Promise<void> {
    const found = await this.source.bits(item);
    this.code = { of: `item ${this.idOf(item)}`, away: found.ints("away"), bits: found.bytes("bits") };
  }

  forget(): void {
    this.placed = null;
    this.code = null;
    this.layer = this.layers[0]?.key ?? "";
  }

  async note(unit: number, note: server.Note): Promise<void> {
    try {
      this.notes = await this.source.setNote(unit, note);
      this.message = "Saved beside the run.";
    } catch (error) {
      this.message = (error as Error).message;
    }
  }

  /** Weights of the units around a place: 1 / squared distance of the nearest four. */
  weightsAt(x: number, y: number): Record<number, number> {
    const far = Array.from(this.scene.x, (ux, unit) => [(ux - x) ** 2 + (this.scene.y[unit] - y) ** 2, unit]);
    const near = far.sort((a, b) => a[0] - b[0]).slice(0, 4);
    if (near[0][0] < 1e-4) return { [near[0][1]]: 1 };
    // Fades to nothing at the distance of the fourth, so that nothing jumps when it becomes another.
    const edge = Math.sqrt(near[near.length - 1][0]) + 1e-9;
    const weight = (squared: number) => Math.max(0, 1 / Math.sqrt(squared) - 1 / edge) ** 2;
    const weights = near.map(([squared, unit]) => [unit, weight(squared)] as const).filter(([, w]) => w > 0);
    return Object.fromEntries(weights.length ? weights : [[near[0][1], 1]]);
  }

  // The address ---------------------------------------------------------------------------------------------------

  whole = true; // the whole map is shown, whatever the size of its box

  fit(): void {
    this.whole = true;
    this.view = wholeView(this.scene, ...this.size);
  }

  zoom(factor: number, x = this.size[0] / 2, y = this.size[1] / 2): void {
    const [width, height] = this.size;
    const whole = wholeView(this.scene, width, height).scale;
    const scale = Math.max(whole * 0.6, Math.min(6000, this.view.scale * factor));
    const [atX, atY] = [this.view.x + (x - width / 2) / this.view.scale, this.view.y + (y - height / 2) / this.view.scale];
    this.move(atX - (x - width / 2) / scale, atY - (y - height / 2) / scale, scale);
  }

  move(x: number, y: number, scale = this.view.scale): void {
    const [left, right, top, bottom] = bounds(this.scene);
    this.whole = false;
    this.view = { x: Math.max(left, Math.min(right, x)), y: Math.max(top, Math.min(bottom, y)), scale };
    this.writeAddress();
  }

  private timer = 0;

  writeAddress(): void {
    if (this.side || !this.items || server.inNotebook) return; // before the items are there, it holds a choice that was not read yet
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => {
      const { x, y, scale } = this.view;
      const parts = new URLSearchParams({ mode: this.mode, layer: this.layer, ...this.extra });
      if (!this.whole) parts.set("view", [x, y, scale].map((value) => value.toFixed(2)).join(","));
      if (this.active >= 0) parts.set("unit", String(this.active));
      if (this.item >= 0) parts.set("item", String(this.item));
      const chosen = this.chosen && !this.received ? write(this.mask, MOST_IN_ADDRESS) : "";
      if (chosen) parts.set("items", chosen);
      history.replaceState(null, "", `#${parts}`);
    }, 150);
  }

  private readAddress(): void {
    const parts = new URLSearchParams(location.hash.slice(1));
    const mode = parts.get("mode");
    if (this.modes().some((one) => one.mode === mode)) this.mode = mode as Mode;
    const layer = parts.get("layer") ?? "";
    if (layer === "none" || this.layers.some((one) => one.key === layer)) this.layer = layer;
    const place = (parts.get("view") ?? "").split(",").map(Number);
    if (place.length === 3 && place.every(Number.isFinite)) {
      this.view = { x: place[0], y: place[1], scale: Math.max(4, Math.min(6000, place[2])) };
      this.whole = false;
    }
    const index = (name: string, end: number) => {
      const value = Number(parts.get(name) ?? -1);
      return Number.isInteger(value) && value < end ? value : -1;
    };
    this.active = index("unit", this.scene.x.length);
  }

  private readChoice(): void {
    const parts = new URLSearchParams(location.hash.slice(1));
    const item = Number(parts.get("item") ?? -1);
    if (Number.isInteger(item) && item < this.unit.length) this.item = item;
    if (parts.has("items")) this.mask = read(parts.get("items")!, this.unit.length);
  }
}

/** A colour mixed with white: the smaller the share, the paler. */
export function pale(colour: string, share: number): string {
  const mix = (i: number) => {
    const value = parseInt(colour.slice(i, i + 2), 16);
    return Math.round(255 - (255 - value) * (0.25 + 0.75 * share)).toString(16).padStart(2, "0");
  };
  return `#${mix(1)}${mix(3)}${mix(5)}`;
}

/** "1 item", "2,000 items". */
export const counted = (n: number, thing = "item"): string => `${n.toLocaleString("en")} ${thing}${n === 1 ? "" : "s"}`;

export const number = (value: number): string =>
  Number.isInteger(value) && Math.abs(value) < 1e9 ? value.toLocaleString("en", { useGrouping: "min2" }) : Number(value.toPrecision(3)).toString();
