"use strict";
// The frame that is clicked becomes as wide as the picture; the frames below it, too; those beside it disappear.
const edge = 10, full = 1180, charWidth = 7;
const frames = Array.from(document.querySelectorAll("g.frame"), (g) => {
	const rect = g.querySelector("rect");
	return {
		g, rect, text: g.querySelector("text"), name: g.dataset.name,
		x: Number(rect.getAttribute("x")), y: Number(rect.getAttribute("y")), width: Number(rect.getAttribute("width")),
	};
});
function label(name, width) {
	const room = Math.floor((width - 6) / charWidth);
	const letters = Array.from(name);
	if (room < 3) return "";
	return letters.length > room ? letters.slice(0, room - 2).join("") + ".." : name;
}
function zoom(to) {
	const slack = 0.02, scale = full / to.width;
	for (const f of frames) {
		const around = f.y >= to.y && f.x <= to.x + slack && f.x + f.width >= to.x + to.width - slack;
		const inside = f.y < to.y && f.x >= to.x - slack && f.x + f.width <= to.x + to.width + slack;
		f.g.style.display = around || inside ? "" : "none";
		const x = around ? edge : edge + (f.x - to.x) * scale, width = around ? full : f.width * scale;
		f.rect.setAttribute("x", x);
		f.rect.setAttribute("width", width);
		f.text.setAttribute("x", x + 3);
		f.text.textContent = label(f.name, width);
	}
}
for (const f of frames) f.g.addEventListener("click", () => zoom(f));
