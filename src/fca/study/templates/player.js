// Play the ground truth and the predictions of a clip together, in a loop.
class Player {
  constructor(controls, shape) {
    this.shape = shape; // media, frames, width, height, framesPerSecond
    this.button = controls.querySelector("button");
    this.slider = controls.querySelector("input");
    this.count = controls.querySelector(".count"); // no <output>: it would be read aloud eight times a second
    this.slider.max = String(shape.frames);
    this.screens = [];
    this.frame = 0;
    this.due = 0;
    this.playing = !matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.button.addEventListener("click", () => this.play(!this.playing));
    this.slider.addEventListener("input", () => { this.play(false); this.show(Number(this.slider.value) - 1); });
    requestAnimationFrame((now) => this.run(now));
  }

  // `pictures`: [element, data URI, name for screen readers], each with the same number of `initial` frames.
  open(pictures, initial) {
    this.initial = initial;
    this.screens = pictures.map(([element, media, label]) => this.screen(element, media, label));
    this.show(0);
    this.play(this.playing);
  }

  screen(element, media, label) {
    const { width, height } = this.shape;
    if (this.shape.media === "sheet") {
      const canvas = Object.assign(document.createElement("canvas"), { width, height });
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", label);
      element.replaceChildren(canvas);
      const film = new Image();
      film.onload = () => this.show(this.frame);
      film.src = media;
      return { canvas, film };
    }
    const video = Object.assign(document.createElement("video"), { width, height, muted: true, playsInline: true });
    video.setAttribute("aria-label", label);
    video.src = media;
    element.replaceChildren(video);
    return { video };
  }

  play(on) {
    this.playing = on;
    this.button.textContent = on ? "❚❚" : "▶";
    this.button.setAttribute("aria-label", on ? "Pause" : "Play");
    this.screens.forEach(({ video }) => { if (video && !on) video.pause(); });
  }

  show(frame) {
    const { width, height, frames, framesPerSecond } = this.shape;
    this.frame = frame;
    for (const { canvas, film, video } of this.screens) {
      if (canvas && film.complete && film.naturalWidth) {
        const columns = film.naturalWidth / width;
        const [left, top] = [(frame % columns) * width, Math.floor(frame / columns) * height];
        canvas.getContext("2d").drawImage(film, left, top, width, height, 0, 0, width, height);
      }
      if (video) {
        const wanted = (frame + 0.5) / framesPerSecond;
        const far = Math.abs(video.currentTime - wanted) > 1.5 / framesPerSecond;
        if (!this.playing || far) video.currentTime = wanted; // leave it alone while it plays near enough
        if (this.playing && video.paused && frame < frames - 1) video.play().catch(() => {});
        if (frame === frames - 1) video.pause();
      }
    }
    const words = frame < this.initial ? " initial" : "";
    this.slider.value = String(frame + 1);
    this.slider.setAttribute("aria-valuetext", `Frame ${frame + 1} of ${frames}${words}`);
    this.count.textContent = `${frame + 1} / ${frames}${words}`;
  }

  run(now) {
    if (this.playing && this.screens.length && now >= this.due) {
      const last = this.frame === this.shape.frames - 1;
      this.show(last ? 0 : this.frame + 1);
      const hold = this.frame === this.shape.frames - 1 ? 7 : 1; // ticks; stay on the last frame for a moment
      this.due = Math.max(this.due, now - 500) + (1000 * hold) / this.shape.framesPerSecond;
    }
    requestAnimationFrame((next) => this.run(next));
  }
}
