// Builds bundle.js, bundle.css and LICENSES.txt from src: the same bytes from the same sources.
import * as esbuild from "esbuild";
import { readFileSync, writeFileSync } from "node:fs";

const options = { bundle: true, minify: true, charset: "utf8", legalComments: "none", target: "es2022" };
const result = await esbuild.build({ ...options, entryPoints: ["src/main.ts"], outfile: "bundle.js", format: "iife", metafile: true });
await esbuild.build({ ...options, entryPoints: ["src/style.css"], outfile: "bundle.css" });

const used = new Set();
for (const file of Object.keys(result.metafile.inputs)) {
  const match = file.match(/^node_modules\/((?:@[^/]+\/)?[^/]+)\//);
  if (match) used.add(match[1]);
}
const texts = [...used].sort().map((name) => {
  const { version } = JSON.parse(readFileSync(`node_modules/${name}/package.json`, "utf8"));
  const license = readFileSync(`node_modules/${name}/LICENSE`, "utf8").trim();
  return `${name} ${version}\n\n${license}\n`;
});
writeFileSync("LICENSES.txt", texts.join("\n----\n\n"));
