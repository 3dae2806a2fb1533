/** What the server tells by itself, as the worker hands it to the tabs. */

/** Events by name, as docs/app-calls.md has them. */
export const NAMES = ["project", "closed", "maps", "shots", "guide", "document", "render", "lost", "bye"] as const;
export type Name = (typeof NAMES)[number];

/** That the stream is open (again), or an event with its data as JSON. */
export type Told = { name: "open" } | { name: Name; data: string };

const AGAIN_MS = 2000;

/** Read the server's stream for ever; a browser goes on by itself where it breaks off. */
export class Stream {
  private source: EventSource | null = null;

  constructor(
    private readonly address: string,
    private readonly heard: (told: Told) => void,
  ) {
    this.open();
  }

  get isOpen(): boolean {
    return this.source?.readyState === EventSource.OPEN;
  }

  private open(): void {
    const source = (this.source = new EventSource(this.address));
    source.onopen = () => this.heard({ name: "open" });
    source.onerror = () => {
      // Unless the answer was no stream at all: nobody is signed in, or something else answers.
      if (source.readyState === EventSource.CLOSED) setTimeout(() => this.open(), AGAIN_MS);
    };
    for (const name of NAMES) {
      source.addEventListener(name, (event) => {
        this.heard({ name, data: (event as MessageEvent<string>).data });
      });
    }
  }
}
