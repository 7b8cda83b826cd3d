// Binary columns as the server packs them: see src/somscope/explorer/columns.py.
type Values = Int32Array | Uint32Array | Uint8Array | Float32Array;
type Described = { name: string; type: "i4" | "u4" | "u1" | "f4"; length: number; offset: number };

const KINDS = { i4: Int32Array, u4: Uint32Array, u1: Uint8Array, f4: Float32Array };

export class Columns<Meta = Record<string, unknown>> {
  constructor(
    readonly meta: Meta,
    private readonly values: Map<string, Values>,
  ) {}

  has(name: string): boolean {
    return this.values.has(name);
  }

  ints(name: string): Int32Array {
    return (this.values.get(name) as Int32Array | undefined) ?? new Int32Array();
  }

  bytes(name: string): Uint8Array {
    return (this.values.get(name) as Uint8Array | undefined) ?? new Uint8Array();
  }

  floats(name: string): Float32Array {
    return (this.values.get(name) as Float32Array | undefined) ?? new Float32Array();
  }

  /** A function that gives the text of a row; nothing is decoded before it is asked for. */
  texts(name: string): (row: number) => string {
    const bytes = (this.values.get(name) as Uint8Array | undefined) ?? new Uint8Array();
    const ends = (this.values.get(`${name}.ends`) as Uint32Array | undefined) ?? new Uint32Array();
    const decoder = new TextDecoder();
    return (row) => decoder.decode(bytes.subarray(row > 0 ? ends[row - 1] : 0, ends[row]));
  }
}

export function unpack<Meta>(buffer: ArrayBuffer): Columns<Meta> {
  const head = new DataView(buffer);
  if (head.getUint32(0) !== 0x53534331) throw new Error("the server sent something else than columns");
  const length = head.getUint32(4, true);
  const { meta, columns } = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length))) as {
    meta: Meta;
    columns: Described[];
  };
  const values = new Map<string, Values>();
  for (const { name, type, length: count, offset } of columns) {
    values.set(name, new KINDS[type](buffer, 8 + length + offset, count));
  }
  return new Columns(meta, values);
}
