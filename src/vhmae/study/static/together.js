// Plays several short videos of equal length in step, over and over.
//
// Players drift: each decodes at its own pace. The first video leads. Between frames, whoever is off by more than a part of a
// frame runs a little faster or slower; whoever is off by several frames jumps. All start again together at the end.

const CHECK_MS = 40;
const LONGEST_WAIT_MS = 5000;

export class Together {
  constructor(videos, fps, frames) {
    this.videos = videos;
    this.frame = 1 / fps;
    this.length = frames / fps;
    this.paused = true;
    this.rounds = 0;
  }

  // Resolves when every video can play to its end without waiting for the network.
  async load() {
    await Promise.all(this.videos.map(async (video) => {
      const response = await fetch(video.dataset.source);
      if (!response.ok) throw new Error(`a video could not be loaded (${response.status})`);
      video.src = URL.createObjectURL(await response.blob());
      await new Promise((resolve, reject) => {
        // The whole file is here already; some phones decode nothing before they are told to play.
        video.addEventListener("loadeddata", resolve, { once: true });
        setTimeout(resolve, LONGEST_WAIT_MS);
        video.addEventListener("error", () => reject(new Error("this browser cannot play the videos")), { once: true });
        video.load();
      });
    }));
  }

  async rewind() {
    for (const video of this.videos) video.pause();
    await Promise.all(this.videos.map((video) => new Promise((resolve) => {
      if (video.currentTime === 0 && !video.seeking) return resolve();
      video.addEventListener("seeked", resolve, { once: true });
      video.currentTime = 0;
    })));
  }

  async play() {
    this.paused = false;
    clearInterval(this.timer);
    this.timer = setInterval(() => this.keepInStep(), CHECK_MS);
    const played = await Promise.allSettled(this.videos.map((video) => video.play()));
    if (played.every(({ status }) => status === "fulfilled")) return true;
    this.pause(); // a phone that saves power plays nothing before it is told to
    return false;
  }

  pause() {
    this.paused = true;
    clearInterval(this.timer);
    for (const video of this.videos) {
      video.pause();
      video.playbackRate = 1;
    }
    const at = this.videos[0].currentTime;
    for (const video of this.videos.slice(1)) video.currentTime = at;
  }

  stop() {
    this.pause();
    for (const video of this.videos) URL.revokeObjectURL(video.src);
  }

  async keepInStep() {
    if (this.paused || this.rewinding) return;
    const [lead, ...others] = this.videos;
    if (this.videos.some((video) => video.ended) || lead.currentTime >= this.length - this.frame / 4) {
      this.rewinding = true;
      await this.rewind();
      this.rewinding = false;
      this.rounds += 1;
      if (!this.paused) await this.play();
      return;
    }
    for (const video of others) {
      const off = video.currentTime - lead.currentTime;
      if (Math.abs(off) > 3 * this.frame) {
        video.currentTime = lead.currentTime + this.frame / 2;
      } else {
        // Two thirds of what is off is made up for in the next tenth of a second.
        video.playbackRate = Math.abs(off) < this.frame / 8 ? 1 : Math.min(1.5, Math.max(0.5, 1 - off / 0.15));
      }
    }
  }
}
