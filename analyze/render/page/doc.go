// Package page writes results of packages analyze and compare as one HTML file, to look at in a
// browser. The file needs no network and no server.
//
// # The file
//
//  1. Write collects what the page shows of a digest: newData.
//  2. If that is too large, it leaves out details, the least important first: limits.
//  3. The data is JSON with a list for each figure, compressed with gzip, in base64. A browser
//     decodes it with DecompressionStream.
//  4. The template adds the program, bundle.js and bundle.css.
//
// A content security policy forbids everything else: it has the hashes of that program and that
// style. So a page cannot load or send anything, whatever the names in a trace are. The program
// never makes markup from names either: it sets the text of elements.
//
// Figures are those of --json, by the same code. Quantiles of a time that is selected on the page are
// estimates from the heatmaps, and marked as such.
//
// # The program
//
// Its sources are in src, in TypeScript. "make page" builds the bundle. Its dependencies are
// d3-hierarchy, for the layout of flame graphs, and d3-scale, for axes. Both are small, and have
// been kept up for years. Their licences, and those of what they need, are in LICENSES.txt and on
// the page.
//
// Rejected:
//
//   - d3-flame-graph: it needs d3-selection and d3-transition, and draws neither threads nor waits.
//   - speedscope's core: a flame graph on WebGL, which does not print.
//   - uPlot: it draws on a canvas. An SVG prints at any size, and tests can read it.
//   - a framework such as Preact: the page hardly changes once it is drawn.
package page
