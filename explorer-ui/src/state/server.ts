// Everything that is asked of the server. A static copy has the answers in the page itself and no server to ask.
import type { components } from "../api";
import { unpack, type Columns } from "./columns";

export type RunRecord = components["schemas"]["RunRecord"];
export type Alike = components["schemas"]["Alike"];
export type Note = components["schemas"]["NoteRecord"];
export type Progress = components["schemas"]["Progress"];
export type Placed = { unit: number; second_unit: number; distance: number; percentile: number | null };

const kept = (path: string) => document.getElementById(`kept:${path}`);
/** Whether this page is a copy in a file. */
export const isCopy = kept("api/run") !== null;

async function get(path: string): Promise<ArrayBuffer> {
  const here = kept(path);
  if (here) return Uint8Array.from(atob(here.textContent!.trim()), (c) => c.charCodeAt(0)).buffer;
  return (await asked(path)).arrayBuffer();
}

async function asked(path: string, options?: RequestInit): Promise<Response> {
  let answer: Response;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Error("The server does not answer: is `somscope look` still running?");
  }
  if (!answer.ok) {
    const said = (await answer.json().catch(() => null)) as { detail?: unknown } | null;
    throw new Error(typeof said?.detail === "string" ? said.detail : `The server answered ${answer.status}.`);
  }
  return answer;
}

const sent = (value: unknown, method: string): RequestInit => ({
  method,
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(value),
});

export const loadRun = async () => JSON.parse(new TextDecoder().decode(await get("api/run"))) as RunRecord;
export const loadColumns = async <Meta>(name: string): Promise<Columns<Meta>> => unpack<Meta>(await get(`api/${name}`));
export const alike = async (item: number) => (await (await asked(`api/item/${item}/like`)).json()) as Alike;
export const progress = async () => (await (await asked("api/progress")).json()) as Progress;
export const setNote = async (unit: number, note: Note) =>
  (await (await asked(`api/notes/${unit}`, sent(note, "PUT"))).json()) as Record<string, Note>;
export const place = async (image: Blob) =>
  unpack<Placed>(
    await (
      await asked("api/place", {
        method: "POST",
        headers: { "Content-Type": "application/octet-stream" },
        body: image,
      })
    ).arrayBuffer(),
  );
export const decode = async (weights: Record<number, number>, offsets: Record<number, number>) =>
  (await asked("api/decode", sent({ weights, offsets }, "POST"))).blob();

/** The address of a picture. */
export function pictureAddress(path: string): string {
  const here = kept(path);
  return here ? `data:image/webp;base64,${here.textContent!.trim()}` : path;
}
export const itemAddress = (item: number) => (isCopy ? "" : `api/item/${item}/picture`);
