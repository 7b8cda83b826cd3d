// Two maps over items that have numbers in common, their own or those of their places: a choice on one is one on the other.
import type { Explorer } from "./explorer.svelte";
import type { Mask } from "./selection";

export class Link {
  private readonly pairs: [Int32Array, Int32Array];
  /** Whether no item is on both maps, but their units are the same. */
  readonly byPlace: boolean;
  private readonly most: number;

  constructor(
    readonly left: Explorer,
    readonly right: Explorer,
  ) {
    const own = new Set(left.items.ints("pair"));
    const common = right.items.ints("pair").some((pair) => own.has(pair));
    const [one, other] = [left.items.ints("place"), right.items.ints("place")];
    this.byPlace = !common && one.length > 0 && other.length > 0 && left.scene.x.length === right.scene.x.length;
    this.pairs = this.byPlace ? [one, other] : [left.items.ints("pair"), right.items.ints("pair")];
    this.most = this.pairs.reduce((most, pairs) => pairs.reduce((high, pair) => Math.max(high, pair), most), -1) + 1;
  }

  /** The partners on the other map of what is chosen on one, or what lies there at a unit that is empty here. */
  carry(from: Explorer, empty = -1): Mask {
    const [own, other] = from === this.left ? this.pairs : [this.pairs[1], this.pairs[0]];
    const chosen = new Uint8Array(this.most);
    if (this.byPlace && empty >= 0) chosen[own[0] - from.unit[0] + empty] = 1;
    own.forEach((pair, item) => from.mask[item] && (chosen[pair] = 1));
    return Uint8Array.from(other, (pair) => chosen[pair]);
  }

  /** (K, K') how many pairs lie at each unit of the left and each of the right map, row by row. */
  matrix(): Float32Array {
    const [rows, columns] = [this.left.scene.x.length, this.right.scene.x.length];
    const counts = new Float32Array(rows * columns);
    // Items of the right map by pair, in one chain for each: first[pair], then next[item].
    const first = new Int32Array(this.most).fill(-1);
    const next = new Int32Array(this.pairs[1].length);
    this.pairs[1].forEach((pair, item) => {
      next[item] = first[pair];
      first[pair] = item;
    });
    this.pairs[0].forEach((pair, item) => {
      for (let other = first[pair]; other >= 0; other = next[other]) {
        counts[this.left.unit[item] * columns + this.right.unit[other]]++;
      }
    });
    return counts;
  }

  /** Choose on the left map the items of a unit there whose partners lie at a unit of the right map. */
  choose(row: number, column: number): void {
    const there = new Uint8Array(this.most);
    this.pairs[1].forEach((pair, item) => this.right.unit[item] === column && (there[pair] = 1));
    this.left.choose(this.left.where((item) => this.left.unit[item] === row && there[this.pairs[0][item]] === 1));
  }
}

/** Over how many units of the right map the items of a unit of the left spread, on average: 2 to the conditional entropy. */
export function spread(counts: Float32Array, columns: number): number {
  let [entropy, total] = [0, 0];
  for (let start = 0; start < counts.length; start += columns) {
    const row = counts.subarray(start, start + columns);
    const sum = row.reduce((all, n) => all + n, 0);
    for (const n of row) if (n) entropy -= n * Math.log2(n / sum);
    total += sum;
  }
  return total ? 2 ** (entropy / total) : 0;
}
