"use strict";
// Plays the clips of a card together, frame by frame. Without this script the page shows still frames.
(() => {
  const FRAMES_PER_SECOND = 8;
  const HOLD = 6; // ticks to stay on the last frame
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  document.documentElement.classList.add("js");

  class Card {
    constructor(element) {
      this.element = element;
      this.frames = Number(element.dataset.frames);
      this.given = Number(element.dataset.given);
      this.canvases = [...element.querySelectorAll("canvas")];
      this.videos = [...element.querySelectorAll("video")];
      this.controls = element.querySelector(".controls");
      this.button = this.controls.querySelector("button");
      this.slider = this.controls.querySelector("input");
      this.output = this.controls.querySelector("output");
      this.films = [];
      this.frame = 0;
      this.held = 0;
      this.playing = false;
      this.loaded = false;
      this.controls.hidden = false;
      this.videos.forEach((video) => { video.controls = false; });
      this.slider.style.setProperty("--given-end", `${(100 * (this.given - 0.5)) / (this.frames - 1)}%`);
      this.button.addEventListener("click", () => (this.playing ? this.pause() : this.play()));
      this.slider.addEventListener("input", () => { this.pause(); this.show(Number(this.slider.value) - 1); });
      this.show(0);
    }

    load() {
      if (this.loaded) return;
      this.loaded = true;
      this.films = this.canvases.map((canvas) => {
        const film = new Image();
        film.onload = () => this.draw(canvas, film);
        film.onerror = () => canvas.parentElement.classList.add("broken");
        film.src = canvas.dataset.film;
        return film;
      });
      this.videos.forEach((video) => { video.preload = "auto"; video.load(); });
      this.seek();
    }

    draw(canvas, film) {
      const { width, height } = canvas;
      canvas.getContext("2d").drawImage(film, this.frame * width, 0, width, height, 0, 0, width, height);
    }

    seek() {
      const time = (this.frame + 0.5) / FRAMES_PER_SECOND;
      this.videos.forEach((video) => { if (this.loaded) video.currentTime = time; });
    }

    show(frame) {
      this.frame = frame;
      this.films.forEach((film, index) => {
        if (film.complete && film.naturalWidth) this.draw(this.canvases[index], film);
      });
      this.seek();
      const given = frame < this.given;
      this.element.classList.toggle("is-given", given);
      this.slider.value = String(frame + 1);
      this.slider.setAttribute("aria-valuetext", `Frame ${frame + 1} of ${this.frames}, ${given ? "given" : "predicted"}`);
      this.output.textContent = `${frame + 1} / ${this.frames}${given ? " given" : ""}`;
    }

    play() {
      this.load();
      if (this.playing) return;
      if (this.frame === this.frames - 1) this.show(0);
      this.playing = true;
      this.held = 0;
      this.button.textContent = "❚❚";
      this.button.setAttribute("aria-label", "Pause");
      clock.start();
    }

    pause() {
      this.playing = false;
      this.button.textContent = "▶";
      this.button.setAttribute("aria-label", "Play");
    }

    tick() {
      if (this.films.some((film) => !film.complete)) return;
      if (this.frame < this.frames - 1) this.show(this.frame + 1);
      else if (++this.held > HOLD) { this.held = 0; this.show(0); }
    }
  }

  // One clock for all cards, so that everything in view stays in step.
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
      if (entry.isIntersecting) { visible.add(card); if (together) card.play(); }
      else { visible.delete(card); card.pause(); }
    }), { threshold: 0.3 });
    cards.forEach((card) => { near.observe(card.element); inView.observe(card.element); });
    playAll.hidden = false;
    playAll.addEventListener("click", () => setTogether(!together));
    if (!calm.matches) setTogether(true);
    calm.addEventListener("change", () => { if (calm.matches) setTogether(false); });
  }

  // Paper shows what is folded away on the screen.
  const folded = [];
  addEventListener("beforeprint", () => document.querySelectorAll("details:not([open])").forEach((element) => {
    element.open = true;
    folded.push(element);
  }));
  addEventListener("afterprint", () => folded.splice(0).forEach((element) => { element.open = false; }));
})();
