// A small drawing of what an attempt used over its time: processor and memory, each to its own height.

import { bytes, el, number, span } from "./view.js";

const svg = "http://www.w3.org/2000/svg";
const width = 240;
const height = 44;

function drawn(tag, attributes) {
  const node = document.createElementNS(svg, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, String(value));
  return node;
}

/** The share of one processor between one sample and the next: 1 is one that is always busy. */
export function shares(samples) {
  return samples.slice(1).map((s, index) => {
    const time = s.at_ms - samples[index].at_ms;
    return { at_ms: s.at_ms, value: time > 0 ? Math.max(0, s.cpu_ms - samples[index].cpu_ms) / time : 0 };
  });
}

function line(points, label, className) {
  const first = points[0].at_ms;
  const time = Math.max(1, points.at(-1).at_ms - first);
  const top = Math.max(...points.map((p) => p.value), Number.MIN_VALUE);
  const place = (p) => `${(((p.at_ms - first) / time) * width).toFixed(1)},${(height - 2 - (p.value / top) * (height - 4)).toFixed(1)}`;
  const node = drawn("svg", { viewBox: `0 0 ${width} ${height}`, class: `chart ${className}`, role: "img", "aria-label": label, preserveAspectRatio: "none" });
  node.append(drawn("polyline", { points: points.map(place).join(" "), "vector-effect": "non-scaling-stroke" }));
  return node;
}

export function sampleChart(samples) {
  const cpu = shares(samples);
  const rss = samples.map((s) => ({ at_ms: s.at_ms, value: s.rss_bytes }));
  const busiest = Math.max(...cpu.map((p) => p.value));
  const largest = Math.max(...rss.map((p) => p.value));
  const time = span(samples.at(-1).at_ms);
  const figure = (words, drawing) => el("figure", {}, drawing, el("figcaption", {}, words));
  const cpuWords = `CPU up to ${number(Math.round(busiest * 100))} % of one processor, over ${time}`;
  const rssWords = `Memory up to ${bytes(largest)}`;
  return el("div", { class: "charts" },
    cpu.length > 1 ? figure(cpuWords, line(cpu, cpuWords, "cpu")) : null, figure(rssWords, line(rss, rssWords, "rss")));
}
