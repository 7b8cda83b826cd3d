// Which items are chosen: one byte each, with undo, and as a short text for the address.

export type Mask = Uint8Array;

export function count(mask: Mask): number {
  let sum = 0;
  for (let i = 0; i < mask.length; i++) sum += mask[i];
  return sum;
}

/** What `how` makes of an old choice and a new one. */
export function combine(old: Mask, found: Mask, how: "replace" | "add" | "toggle"): Mask {
  if (how === "replace") return found;
  // A second click on what is chosen takes it away again.
  const all = how === "toggle" && found.every((one, i) => !one || old[i]);
  return old.map((one, i) => (found[i] ? (all ? 0 : 1) : one));
}

/**
 * Lengths of the runs of equal bits, the first of zeros, as base-36 numbers: "3.2.9" is 00011000000000. Of more than
 * `most` characters: "".
 */
export function write(mask: Mask, most: number): string {
  const runs: number[] = [];
  let bit = 0;
  let start = 0;
  for (let i = 0; i < mask.length && 2 * runs.length <= most; i++) {
    if (mask[i] === bit) continue;
    runs.push(i - start);
    [bit, start] = [mask[i], i];
  }
  if (bit) runs.push(mask.length - start);
  const text = runs.map((run) => run.toString(36)).join(".");
  return text.length <= most ? text : "";
}

export function read(text: string, length: number): Mask {
  const mask = new Uint8Array(length);
  let start = 0;
  text.split(".").forEach((part, i) => {
    const run = parseInt(part, 36) || 0;
    if (i % 2) mask.fill(1, start, start + run);
    start += run;
  });
  return mask;
}

/** Whether a point lies in a polygon of x and y in turn (even-odd rule). */
export function inside(x: number, y: number, polygon: number[]): boolean {
  let within = false;
  for (let i = 0, j = polygon.length - 2; i < polygon.length; j = i, i += 2) {
    const [xi, yi, xj, yj] = [polygon[i], polygon[i + 1], polygon[j], polygon[j + 1]];
    if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) within = !within;
  }
  return within;
}
