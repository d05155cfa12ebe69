import { defineConfig } from "vite";

export default defineConfig({
  base: "./", // so that a proxy may serve it under a path
  publicDir: false,
  build: {
    outDir: "../src/twikit_pool/service/page",
    emptyOutDir: true,
    assetsInlineLimit: 0, // the service's policy takes no data: addresses
    modulePreload: false,
    target: "es2022",
    cssTarget: ["chrome125", "firefox125", "safari18"], // they know light-dark(), which would be written out else
  },
});
