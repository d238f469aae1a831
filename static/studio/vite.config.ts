/**
 * How the front end is built: one entry, one lazy chunk a page, plotly.js in a chunk of its own.
 *
 * Django's `vite` template tag reads `static/dist/manifest.json`, looks up `src/main.tsx` and
 * writes its script, style sheet and preloads into the page.
 */
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

export default defineConfig({
  base: "/static/dist/",
  plugins: [react()],
  // plotly.js and its dependencies still name Node's `global`.
  define: { global: "globalThis" },
  build: {
    outDir: "../dist",
    emptyOutDir: true,
    manifest: "manifest.json",
    target: "es2022",
    sourcemap: false,
    chunkSizeWarningLimit: 2000,
    // The precompiled shaders of plotly.js are CommonJS files whose names have no extension.
    commonjsOptions: { extensions: [".js", ".cjs", ""] },
    rollupOptions: { input: "src/main.tsx" },
  },
  test: {
    environment: "jsdom",
    include: ["src/**/*.test.{ts,tsx}"],
    setupFiles: ["src/testing/setup.ts"],
    // Two cores are the rule on a build machine; forks beyond that only wait.
    poolOptions: { forks: { maxForks: 2 } },
  },
});
