"use strict";
// Frames have their places in percent of the width, so that the picture fits any window. The frame
// that is clicked becomes as wide as the picture, like those below it; those beside it disappear.
const picture = document.querySelector("svg.utrace-flame"), view = picture.querySelector("#frames");
const edge = 10, charWidth = 7.2;
const frames = Array.from(picture.querySelectorAll("g.frame"), (g) => {
	const rect = g.querySelector("rect");
	return {
		g, rect, text: g.querySelector("text"), name: g.dataset.name, y: Number(rect.getAttribute("y")),
		x: parseFloat(rect.getAttribute("x")), width: parseFloat(rect.getAttribute("width")),
	};
});
let zoomed = frames[0], pixels = 1180;

function label(name, width) {
	const room = Math.floor((width - 6) / charWidth);
	const letters = Array.from(name);
	if (room < 3) return "";
	return letters.length > room ? letters.slice(0, room - 2).join("") + ".." : name;
}

function draw() {
	const slack = 0.0002, to = zoomed, scale = to.width > 0 ? 100 / to.width : 1;
	for (const f of frames) {
		const around = f.y >= to.y && f.x <= to.x + slack && f.x + f.width >= to.x + to.width - slack;
		const inside = f.y < to.y && f.x >= to.x - slack && f.x + f.width <= to.x + to.width + slack;
		f.g.style.display = around || inside ? "" : "none";
		if (!around && !inside) continue;
		const x = around ? 0 : (f.x - to.x) * scale, width = around ? 100 : f.width * scale;
		f.rect.setAttribute("x", x + "%");
		f.rect.setAttribute("width", width + "%");
		f.text.setAttribute("x", x + "%");
		f.text.textContent = label(f.name, width * pixels / 100);
	}
}

function zoom(to) {
	zoomed = to;
	draw();
}

function fit() {
	pixels = Math.max(100, picture.getBoundingClientRect().width - 2 * edge);
	view.setAttribute("width", pixels);
	draw();
}

// search marks the frames whose names match, and says how much of the time is in them. Text that is
// no regular expression is searched for as it is.
function search(text) {
	let matches = () => false;
	if (text) {
		matches = (name) => name.includes(text);
		try {
			const pattern = new RegExp(text);
			matches = (name) => pattern.test(name);
		} catch { /* not a regular expression */ }
	}
	const found = frames.filter((f) => matches(f.name));
	const marked = new Set(found);
	for (const f of frames) f.g.classList.toggle("found", marked.has(f));
	// Frames above another one that matches are a part of it.
	found.sort((a, b) => a.x - b.x || b.y - a.y);
	let end = -1, sum = 0;
	for (const f of found) {
		if (f.x < end - 0.0002) continue;
		sum += f.width;
		end = f.x + f.width;
	}
	picture.querySelector("#matched").textContent = text ? `${found.length} frames match ${text}: ${sum.toFixed(2)}% of the time` : "";
}

function ask() {
	const text = prompt("Search functions (a regular expression):");
	if (text !== null) search(text);
}

function reset() {
	search("");
	zoom(frames[0]);
}

for (const f of frames) f.g.addEventListener("click", () => zoom(f));
picture.querySelector("#search").addEventListener("click", ask);
picture.querySelector("#reset").addEventListener("click", reset);
window.addEventListener("keydown", (e) => {
	if (e.key === "/" || e.key === "f" && (e.ctrlKey || e.metaKey)) {
		e.preventDefault();
		ask();
	} else if (e.key === "Escape") {
		reset();
	}
});
picture.removeAttribute("viewBox");
picture.setAttribute("width", "100%");
window.addEventListener("resize", fit);
fit();
