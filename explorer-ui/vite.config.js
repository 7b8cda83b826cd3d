// Builds three files that the Python package ships, and records the hash of the sources that they were built from.
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { createHash } from "node:crypto";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { defineConfig } from "vite";

const OUT = "../src/somscope/explorer/static";

/** SHA-256 over the names and contents of everything that a build depends on; tests/explorer/test_built.py repeats it. */
function sourcesHash() {
  const inside = readdirSync("src", { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name).replaceAll("\\", "/"));
  const hash = createHash("sha256");
  for (const file of [...inside, "index.html", "package-lock.json", "svelte.config.js", "vite.config.js"].sort()) {
    hash.update(`${file}\0`).update(readFileSync(file)).update("\0");
  }
  return hash.digest("hex");
}

export default defineConfig({
  base: "./",
  plugins: [
    svelte(),
    { name: "sources-hash", closeBundle: () => writeFileSync(`${OUT}/sources.sha256`, `${sourcesHash()}\n`) },
  ],
  build: {
    outDir: OUT,
    emptyOutDir: true,
    target: "es2022",
    modulePreload: false,
    assetsInlineLimit: 0,
    rollupOptions: {
      output: { entryFileNames: "explorer.js", assetFileNames: "explorer.[ext]", inlineDynamicImports: true },
    },
  },
});
