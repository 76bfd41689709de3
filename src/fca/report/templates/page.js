"use strict";
// Play the clips of a card together, frame by frame. Without this script the page shows all frames in rows.
(() => {
  const FRAMES_PER_SECOND = 8;
  const HOLD = 6; // ticks to stay on the last frame
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  document.documentElement.classList.add("js");

  // One video of a card: a canvas that is painted from a sheet of frames or from a video file.
  class Tile {
    constructor(element) {
      this.canvas = element.querySelector("canvas");
      this.video = element.querySelector("video");
      this.compares = element.classList.contains("prediction");
      this.source = this.video;
      this.ready = false;
    }

    load(whenReady) {
      const settle = () => { this.ready = true; whenReady(); };
      this.whenShown = whenReady;
      const fail = () => { this.source = null; this.canvas.parentElement.classList.add("broken"); settle(); };
      if (this.video) {
        this.video.addEventListener("seeked", settle);
        this.video.addEventListener("error", fail);
        this.video.preload = "auto";
        this.video.load();
      } else {
        this.source = new Image();
        this.source.addEventListener("load", settle);
        this.source.addEventListener("error", fail);
        this.source.src = this.canvas.dataset.sheet;
      }
    }

    seek(frame) {
      if (!this.video || !this.source) return;
      this.ready = false;
      this.video.currentTime = (frame + 0.5) / FRAMES_PER_SECOND;
      // A busy machine may say that it has found a frame before that can be drawn: draw again when it can.
      this.video.requestVideoFrameCallback?.(() => this.whenShown());
    }

    put(context, frame) {
      if (!this.source) return;
      const { width, height } = this.canvas;
      const columns = this.source.naturalWidth / width;
      const left = this.video ? 0 : (frame % columns) * width;
      const top = this.video ? 0 : Math.floor(frame / columns) * height;
      context.drawImage(this.source, left, top, width, height, 0, 0, width, height);
    }

    paint(frame, truth) {
      const context = this.canvas.getContext("2d");
      context.globalCompositeOperation = "copy";
      this.put(context, frame);
      if (!truth || !this.compares) return;
      context.globalCompositeOperation = "difference";
      truth.put(context, frame);
      context.globalCompositeOperation = "lighter"; // twice as bright
      context.drawImage(this.canvas, 0, 0);
    }
  }

  class Card {
    constructor(element) {
      this.element = element;
      this.frames = Number(element.dataset.frames);
      this.initial = Number(element.dataset.initial);
      this.tiles = [...element.querySelectorAll(".tile:not(.initial)")].map((figure) => new Tile(figure));
      this.controls = element.querySelector(".controls");
      this.button = this.controls.querySelector(".play");
      this.slider = this.controls.querySelector("input");
      this.output = this.controls.querySelector("output");
      this.frame = 0;
      this.held = 0;
      this.playing = false;
      this.chosen = false; // somebody moved or stopped it: it stays so until it leaves the view
      this.loaded = false;
      this.controls.hidden = false;
      this.slider.style.setProperty("--initial-end", `${(100 * (this.initial - 0.5)) / (this.frames - 1)}%`);
      this.button.addEventListener("click", () => this.toggle());
      this.slider.addEventListener("input", () => this.scrub(Number(this.slider.value) - 1));
      this.controls.querySelectorAll("[data-view]").forEach((button) =>
        button.addEventListener("click", () => this.view(button.dataset.view)));
      element.addEventListener("keydown", (event) => this.key(event));
      this.show(0);
    }

    load() {
      if (this.loaded) return;
      this.loaded = true;
      this.tiles.forEach((tile) => { tile.load(() => this.paint()); tile.seek(this.frame); });
    }

    // Paint all tiles at once after all have arrived, so that none is ever a frame ahead of another.
    paint() {
      if (!this.loaded || this.tiles.some((tile) => !tile.ready)) return;
      const truth = this.element.classList.contains("is-difference") ? this.tiles[0] : null;
      this.tiles.forEach((tile) => tile.paint(this.frame, truth));
    }

    show(frame) {
      this.frame = Math.min(Math.max(frame, 0), this.frames - 1);
      if (this.loaded) this.tiles.forEach((tile) => tile.seek(this.frame));
      this.paint();
      const initial = this.frame < this.initial;
      const number = this.frame + 1;
      this.element.classList.toggle("is-initial", initial);
      this.slider.value = String(number);
      this.slider.setAttribute("aria-valuetext", `Frame ${number} of ${this.frames}, ${initial ? "initial" : "predicted"}`);
      this.output.textContent = `${number} / ${this.frames}${initial ? " initial" : ""}`;
    }

    scrub(frame) {
      this.chosen = true;
      this.pause();
      this.show(frame);
    }

    // Switch a view on or off: the difference, or all frames at once.
    view(name, on = !this.element.classList.contains(`is-${name}`)) {
      this.element.classList.toggle(`is-${name}`, on);
      this.controls.querySelector(`[data-view="${name}"]`).setAttribute("aria-pressed", String(on));
      if (name === "sheet" && on) this.pause();
      this.paint();
    }

    key(event) {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const actions = {
        ArrowLeft: () => this.scrub(this.frame - 1),
        ArrowRight: () => this.scrub(this.frame + 1),
        Home: () => this.scrub(0),
        End: () => this.scrub(this.frames - 1),
        p: () => this.toggle(),
        d: () => this.view("difference"),
        a: () => this.view("sheet"),
      };
      const action = actions[event.key.length === 1 ? event.key.toLowerCase() : event.key];
      if (!action) return;
      event.preventDefault();
      action();
    }

    play() {
      this.load();
      if (this.playing || this.element.classList.contains("is-sheet")) return;
      if (this.frame === this.frames - 1) this.show(0);
      this.playing = true;
      this.held = 0;
      this.button.textContent = "❚❚";
      this.button.setAttribute("aria-label", "Pause");
      clock.start();
    }

    toggle() {
      this.chosen = true;
      if (this.playing) this.pause();
      else this.play();
    }

    pause() {
      this.playing = false;
      this.button.textContent = "▶";
      this.button.setAttribute("aria-label", "Play");
    }

    tick() {
      if (this.tiles.some((tile) => !tile.ready)) return;
      if (this.frame < this.frames - 1) this.show(this.frame + 1);
      else if (++this.held > HOLD) { this.held = 0; this.show(0); }
    }
  }

  // One clock for all cards keeps everything in view synchronous.
  const clock = {
    last: 0,
    running: false,
    start() {
      if (this.running) return;
      this.running = true;
      this.last = performance.now();
      requestAnimationFrame((now) => this.run(now));
    },
    run(now) {
      const playing = cards.filter((card) => card.playing);
      if (!playing.length) { this.running = false; return; }
      if (now - this.last >= 1000 / FRAMES_PER_SECOND) {
        this.last = Math.max(this.last + 1000 / FRAMES_PER_SECOND, now - 500);
        playing.forEach((card) => card.tick());
      }
      requestAnimationFrame((next) => this.run(next));
    },
  };

  const cards = [...document.querySelectorAll(".card")].map((element) => new Card(element));
  const byElement = new Map(cards.map((card) => [card.element, card]));
  const visible = new Set();
  const playAll = document.getElementById("play-all");
  let together = false;

  const setTogether = (on) => {
    together = on;
    playAll.setAttribute("aria-pressed", String(on));
    playAll.textContent = on ? "Pause all clips" : "Play clips in view";
    if (on) { cards.forEach((card) => card.show(0)); visible.forEach((card) => card.play()); }
    else cards.forEach((card) => card.pause());
  };

  if (cards.length) {
    const near = new IntersectionObserver((entries) => entries.forEach((entry) => {
      if (entry.isIntersecting) byElement.get(entry.target).load();
    }), { rootMargin: "600px" });
    const inView = new IntersectionObserver((entries) => entries.forEach((entry) => {
      const card = byElement.get(entry.target);
      if (entry.isIntersecting) { visible.add(card); if (together && !card.chosen) card.play(); }
      else { visible.delete(card); card.chosen = false; card.pause(); }
    }), { threshold: 0.3 });
    cards.forEach((card) => { near.observe(card.element); inView.observe(card.element); });
    playAll.hidden = false;
    playAll.addEventListener("click", () => setTogether(!together));
    if (!calm.matches) setTogether(true);
    calm.addEventListener("change", () => { if (calm.matches) setTogether(false); });
    document.querySelectorAll(".views [data-view]").forEach((button) => button.addEventListener("click", () => {
      const on = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", String(on));
      cards.forEach((card) => card.view(button.dataset.view, on));
    }));
  }

  // Print what is folded on the screen.
  const folded = [];
  addEventListener("beforeprint", () => document.querySelectorAll("details:not([open])").forEach((element) => {
    element.open = true;
    folded.push(element);
  }));
  addEventListener("afterprint", () => folded.splice(0).forEach((element) => { element.open = false; }));
})();
