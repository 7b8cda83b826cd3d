// Everything that is asked of the server. A static copy has the answers in the page itself and no server to ask.
import type { components } from "../api";
import { unpack, type Columns } from "./columns";

export type RunRecord = components["schemas"]["RunRecord"];
export type Alike = components["schemas"]["Alike"];
export type Note = components["schemas"]["NoteRecord"];
export type Progress = components["schemas"]["Progress"];
export type Placed = { unit: number; second_unit: number; distance: number; percentile: number | null };

const kept = (path: string) => document.getElementById(`kept:${path}`)?.textContent?.trim() ?? null;
/** Whether this page is a copy in a file. */
export const isCopy = kept("api/run") !== null;

/** Whether this page lies in a notebook: what it asks for goes through the frame around it to the kernel. */
export const inNotebook = document.documentElement.dataset.notebook !== undefined;
const waiting = new Map<number, (answer: Response) => void>();
let questions = 0;

if (inNotebook) {
  window.addEventListener("message", ({ source, data }) => {
    const done = source === window.parent && waiting.get(data?.answered);
    if (!done) return;
    waiting.delete(data.answered);
    done(new Response(data.body, { status: data.status, headers: { "Content-Type": data.type } }));
  });
}

async function throughNotebook(path: string, options?: RequestInit): Promise<Response> {
  const sent = new Request("data:,", { ...options, method: options?.method ?? "GET" });
  const [type, body] = [sent.headers.get("Content-Type") ?? "", await sent.arrayBuffer()];
  const asked = ++questions;
  return new Promise((done) => {
    waiting.set(asked, done);
    window.parent.postMessage({ asked, method: sent.method, path, type, body }, "*");
  });
}

async function asked(path: string, options?: RequestInit): Promise<Response> {
  let answer: Response;
  try {
    answer = await (inNotebook ? throughNotebook(path, options) : fetch(path, options));
  } catch {
    throw new Error("The server does not answer: is `somscope look` still running?");
  }
  if (!answer.ok) {
    const said = (await answer.json().catch(() => null)) as { detail?: unknown } | null;
    throw new Error(typeof said?.detail === "string" ? said.detail : `The server answered ${answer.status}.`);
  }
  return answer;
}

async function get(path: string): Promise<ArrayBuffer> {
  const here = kept(path);
  if (here !== null) return Uint8Array.from(atob(here), (c) => c.charCodeAt(0)).buffer;
  return (await asked(path)).arrayBuffer();
}

const sent = (value: unknown, method: string): RequestInit => ({
  method,
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(value),
});

export const progress = async () => (await (await asked("api/progress")).json()) as Progress;

const fetched = new Map<string, Promise<string>>();

/** An address that an image can have: a notebook's page has none of the kernel's, and fetches the picture first. */
function here(path: string): string | Promise<string> {
  if (!inNotebook) return path;
  if (fetched.size > 2000) fetched.clear();
  const known = fetched.get(path) ?? asked(path).then(async (answer) => URL.createObjectURL(await answer.blob()));
  fetched.set(path, known);
  return known;
}

/** A picture, decoded: what is drawn often must not be decoded again. */
export async function bitmap(address: string): Promise<ImageBitmap> {
  const image = new Image();
  image.src = address.startsWith("data:") ? address : await here(address);
  await image.decode();
  return createImageBitmap(image);
}

/** One of the maps that are shown: 0 is the first. */
export class Source {
  private readonly base: string;

  constructor(readonly number: number) {
    this.base = number ? `with/${number}/` : "";
  }

  run = async () => JSON.parse(new TextDecoder().decode(await get(`${this.base}api/run`))) as RunRecord;
  columns = async <Meta>(name: string): Promise<Columns<Meta>> => unpack<Meta>(await get(`${this.base}api/${name}`));
  alike = async (item: number) => (await (await asked(`${this.base}api/item/${item}/like`)).json()) as Alike;
  bits = async (item: number) => unpack(await get(`${this.base}api/item/${item}/bits`));
  setNote = async (unit: number, note: Note) =>
    (await (await asked(`${this.base}api/notes/${unit}`, sent(note, "PUT"))).json()) as Record<string, Note>;
  rows = async (kind: string, bits: Uint8Array<ArrayBuffer>) => {
    const options = { method: "POST", headers: { "Content-Type": "application/octet-stream" }, body: bits };
    return (await asked(`${this.base}api/export/${kind}`, options)).blob();
  };
  decode = async (weights: Record<number, number>, offsets: Record<number, number>) =>
    (await asked(`${this.base}api/decode`, sent({ weights, offsets }, "POST"))).blob();
  place = async (image: Blob) => {
    const options = { method: "POST", headers: { "Content-Type": "application/octet-stream" }, body: image };
    return unpack<Placed>(await (await asked(`${this.base}api/place`, options)).arrayBuffer());
  };

  /** The address of a picture. */
  picture(path: string): string {
    const here = kept(`${this.base}${path}`);
    return here === null ? `${this.base}${path}` : `data:image/webp;base64,${here}`;
  }
  thumbnail = (item: number) => here(`${this.base}api/item/${item}/picture`);
  whole = (item: number) => here(`${this.base}api/item/${item}/whole`);
  tile = (unit: number, size: number, row: number, column: number) =>
    isCopy ? this.picture(`tiles/${unit}-${row}-${column}.webp`) : `${this.base}api/tile/${unit}/${size}/${row}/${column}`;
}
