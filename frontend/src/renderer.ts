/** Draws harmonized frames on the GPU: the transform at the frame's size, then what is looked at. */

import { CELLS, EVERYWHERE, FEWER, transform, view, type Look } from "./shaders";
import type { Change, Pixels } from "./transform";

/** What the canvas shows. */
export const MODES = ["after", "wipe", "sides", "difference", "before"] as const;
export type Mode = (typeof MODES)[number];

export interface View {
  mode: Mode;
  /** Where the wipe stands, 0 to 1 of the picture's width: before lies left of it. */
  wipe: number;
  /** Times that differences are shown as large as they are. */
  gain: number;
  showMatte: boolean;
  /** Canvas pixels to one of the picture. */
  scale: number;
  /** Show pixels as squares rather than blend them. */
  pixels: boolean;
  /** Place of the picture's corner in the canvas, in canvas pixels. */
  offset: readonly [number, number];
  /** Around the picture, 0 to 1. */
  ground: readonly [number, number, number];
}

/** An object that is changed: its matte, and how. */
export interface Layer {
  matte: Source;
  change: Change;
  /** Change what the matte leaves out: the background. */
  inverted?: boolean;
  /** Outside it nothing is changed; without it all of the frame is drawn anew. */
  reach?: Box;
}

/** Pixels from a left column and a top row to those that are no longer in. */
export interface Box {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/** What a texture is made of. */
export type Source = TexImageSource | Pixels;

interface Program {
  program: WebGLProgram;
  at: (name: string) => WebGLUniformLocation | null;
}

/** Sizes of frames whose textures are kept: a preview's and a whole frame's. */
const SIZES_KEPT = 2;
/** After how long is looked again whether the GPU is done. */
const POLL_MS = 4;

/** Says that there is no WebGL2 here. */
export class NoGraphics extends Error {
  constructor() {
    super("WebGL2 is not available");
    this.name = "NoGraphics";
  }
}

export class Renderer {
  private readonly gl: WebGL2RenderingContext;
  private readonly programs = new Map<string, Program>();
  private readonly cells: WebGLTexture;
  private readonly surfaces: Surfaces[] = [];
  private readonly mattes = new Map<Source, WebGLTexture>();
  private readonly blank: WebGLTexture;
  private readonly reading: WebGLFramebuffer;
  /** Kept: browsers fetch ahead what is read from a buffer again and again. */
  private readonly readback: WebGLBuffer;
  private readbackBytes = 0;
  private fewer: Target | null = null;
  private own: Surfaces;
  private current: Target | null = null;
  private shownMatte: WebGLTexture;

  /** @throws NoGraphics where the browser has no WebGL2. */
  constructor(readonly canvas: HTMLCanvasElement | OffscreenCanvas) {
    const gl = canvas.getContext("webgl2", {
      alpha: false,
      antialias: false,
      depth: false,
      preserveDrawingBuffer: true, // so that what is shown can be read back and copied
    }) as WebGL2RenderingContext | null;
    if (!gl) throw new NoGraphics();
    this.gl = gl;
    // Bytes of pictures are sRGB code values and stay what they are.
    gl.pixelStorei(gl.UNPACK_COLORSPACE_CONVERSION_WEBGL, gl.NONE);
    gl.pixelStorei(gl.UNPACK_PREMULTIPLY_ALPHA_WEBGL, false);
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    gl.disable(gl.DITHER);
    gl.bindVertexArray(gl.createVertexArray());
    this.cells = texture(gl, gl.NEAREST);
    this.blank = texture(gl, gl.NEAREST);
    this.reading = gl.createFramebuffer();
    this.readback = gl.createBuffer();
    this.upload(this.blank, { data: new Uint8Array([0, 0, 0, 255]), width: 1, height: 1 });
    this.shownMatte = this.blank;
    this.own = this.surfacesOf(1, 1);
    this.program("transform", CELLS, transform(false)); // what is wrong with them is said here
    this.viewing({ differs: false, pixels: false, veiled: false });
  }

  /** Whether the GPU has given up what was drawn with. */
  get isLost(): boolean {
    return this.gl.isContextLost();
  }

  get frameSize(): { width: number; height: number } {
    return { width: this.own.width, height: this.own.height };
  }

  /** Take a frame; what was rendered before is forgotten, mattes too. */
  setFrame(source: Source): void {
    const { gl } = this;
    const { width, height } = isPixels(source) ? source : sizeOf(source);
    this.own = this.surfacesOf(width, height);
    this.upload(this.own.before, source, this.own.filled);
    this.own.filled = true;
    for (const one of this.own.targets) one.around = null;
    for (const one of this.mattes.values()) gl.deleteTexture(one);
    this.mattes.clear();
    this.shownMatte = this.blank;
    this.current = null;
  }

  /** Textures of a size: previews and whole frames take turns, and making them anew takes long. */
  private surfacesOf(width: number, height: number): Surfaces {
    const { gl, surfaces } = this;
    const known = surfaces.findIndex((one) => one.width === width && one.height === height);
    const found = known >= 0
      ? surfaces.splice(known, 1)[0]!
      : { width, height, before: texture(gl, gl.LINEAR), targets: [], filled: false };
    surfaces.unshift(found);
    for (const one of surfaces.splice(SIZES_KEPT)) {
      gl.deleteTexture(one.before);
      one.targets.forEach((each) => release(gl, each));
    }
    return found;
  }

  /**
   * Change the frame, object by object; the canvas is not touched.
   *
   * @param matte what the view shows as the matte: the first layer's where it is left out.
   */
  render(layers: readonly Layer[], matte?: Source): void {
    const { gl } = this;
    const { width, height, targets, before } = this.own;
    let from = before;
    this.current = null;
    gl.viewport(0, 0, width, height);
    layers.forEach((layer, i) => {
      const to = (targets[i % 2] ??= target(gl, width, height));
      const { reach } = layer;
      // Drawn again, as while a dial turns, the first layer still has the frame around it.
      const isThere = i === 0 && to.around !== null && reach !== undefined && isSame(to.around, reach);
      if (reach && !isThere) this.copy(from, to.picture);
      to.around = i === 0 ? (reach ?? null) : null;
      gl.bindFramebuffer(gl.FRAMEBUFFER, to.buffer);
      if (reach) {
        gl.enable(gl.SCISSOR_TEST);
        gl.scissor(reach.left, reach.top, reach.right - reach.left, reach.bottom - reach.top);
      }
      this.draw(from, layer);
      gl.disable(gl.SCISSOR_TEST);
      from = to.picture;
      this.current = to;
    });
    const looked = matte ?? layers[0]?.matte;
    this.shownMatte = looked ? this.matteOf(looked) : this.blank;
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
  }

  /** Copy a picture of the frame's size: much less work than to draw it. */
  private copy(from: WebGLTexture, to: WebGLTexture): void {
    const { gl } = this;
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.reading);
    gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, from, 0);
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, to);
    gl.copyTexSubImage2D(gl.TEXTURE_2D, 0, 0, 0, 0, 0, this.own.width, this.own.height);
  }

  private draw(from: WebGLTexture, layer: Layer): void {
    const { gl } = this;
    const { change } = layer;
    const keeps = change.keep.length > 0;
    const { at, program } = this.program(keeps ? "keeping" : "transform", CELLS, transform(keeps));
    gl.useProgram(program);
    const matte = this.matteOf(layer.matte);
    gl.activeTexture(gl.TEXTURE2);
    gl.bindTexture(gl.TEXTURE_2D, this.cells);
    gl.texImage2D(
      gl.TEXTURE_2D, 0, gl.RGBA32F, 3 * change.columns, change.rows, 0, gl.RGBA, gl.FLOAT, change.local,
    );
    this.bind(0, from, at("frame"));
    this.bind(1, matte, at("matte"));
    gl.uniform1i(at("cells"), 2);
    gl.uniform2i(at("cellCount"), change.columns, change.rows);
    gl.uniform2f(at("size"), this.own.width, this.own.height);
    gl.uniform2f(at("perPixel"), change.columns / this.own.width, change.rows / this.own.height);
    gl.uniform2f(at("last"), change.columns - 1, change.rows - 1);
    const terms = (first: number, count: number): number[] =>
      [0, 10, 20].flatMap((channel) =>
        Array.from(change.overall.subarray(channel + first, channel + first + count)),
      );
    gl.uniform4fv(at("affine[0]"), terms(0, 4));
    gl.uniform3fv(at("squares[0]"), terms(4, 3));
    gl.uniform3fv(at("products[0]"), terms(7, 3));
    gl.uniform1f(at("strength"), change.strength);
    gl.uniform1f(at("inverted"), Number(layer.inverted ?? false));
    gl.uniform1i(at("keepHue"), Number(change.keep.includes("hue")));
    gl.uniform1i(at("keepLuma"), Number(change.keep.includes("luma")));
    gl.uniform1i(at("keepSaturation"), Number(change.keep.includes("saturation")));
    const between = (cells: number): number => Math.max(1, cells - 1);
    gl.drawArrays(gl.TRIANGLES, 0, 6 * between(change.columns) * between(change.rows));
  }

  /** Show the frame on the canvas, whose size is its own. */
  show(view: View): void {
    const { gl, canvas } = this;
    const { mode, pixels, showMatte, scale, offset } = view;
    const { width, height, before } = this.own;
    const after = this.current?.picture ?? before;
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.clearColor(...view.ground, 1);
    gl.clear(gl.COLOR_BUFFER_BIT);
    const { at, program } = this.viewing({ differs: mode === "difference", pixels, veiled: showMatte });
    gl.useProgram(program);
    this.bind(1, before, at("other"));
    this.bind(2, this.shownMatte, at("matte"));
    gl.uniform2f(at("size"), width, height);
    gl.uniform1f(at("lines"), canvas.height);
    gl.uniform1f(at("scale"), scale);
    gl.uniform1f(at("gain"), view.gain);
    gl.enable(gl.SCISSOR_TEST);
    // Pixels belong to what their centers lie in.
    const edge = (place: number): number => Math.ceil(place - 0.5);
    const [top, bottom] = [edge(offset[1]), edge(offset[1] + scale * height)];
    /** A part of a picture, from one column of it to another, in a pane of the canvas. */
    const part = (picture: WebGLTexture, from: number, to: number, pane: [number, number]): void => {
      const left = Math.max(pane[0], edge(pane[0] + offset[0] + scale * from));
      const right = Math.min(pane[1], edge(pane[0] + offset[0] + scale * to));
      if (right <= left || bottom <= top) return;
      gl.scissor(left, canvas.height - bottom, right - left, bottom - top);
      gl.uniform2f(at("offset"), pane[0] + offset[0], offset[1]);
      this.bind(0, picture, at("picture"));
      gl.drawArrays(gl.TRIANGLES, 0, 3);
    };
    const whole: [number, number] = [0, canvas.width];
    const middle = canvas.width / 2;
    if (mode === "wipe") {
      part(before, 0, view.wipe * width, whole);
      part(after, view.wipe * width, width, whole);
    } else if (mode === "sides") {
      part(before, 0, width, [0, edge(middle)]);
      part(after, 0, width, [middle, canvas.width]);
    } else {
      part(mode === "before" ? before : after, 0, width, whole);
    }
    gl.disable(gl.SCISSOR_TEST);
  }

  /** The frame as it came or as it comes out, four bytes a pixel from the top; the exact levels. */
  read(which: "before" | "after"): Pixels & { data: Uint8Array } {
    const { gl } = this;
    const { width, height } = this.own;
    const data = new Uint8Array(4 * width * height);
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.reading);
    gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, this.textureOf(which), 0);
    gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, data);
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    return { data, width, height };
  }

  /**
   * Some of the frame's pixels, exact, with the shown matte as alpha: without waiting for the GPU.
   *
   * @param most about how many.
   */
  async sample(which: "before" | "after", most: number): Promise<Pixels & { data: Uint8Array }> {
    const { gl } = this;
    const step = Math.max(1, Math.sqrt((this.own.width * this.own.height) / most));
    const width = Math.max(1, Math.floor(this.own.width / step));
    const height = Math.max(1, Math.floor(this.own.height / step));
    if (this.fewer?.width !== width || this.fewer.height !== height) {
      if (this.fewer) release(gl, this.fewer);
      this.fewer = target(gl, width, height);
    }
    const { at, program } = this.program("fewer", EVERYWHERE, FEWER);
    gl.useProgram(program);
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.fewer.buffer);
    gl.viewport(0, 0, width, height);
    this.bind(0, this.textureOf(which), at("picture"));
    this.bind(1, this.shownMatte, at("matte"));
    gl.uniform2f(at("target"), width, height);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
    const data = new Uint8Array(4 * width * height);
    gl.bindBuffer(gl.PIXEL_PACK_BUFFER, this.readback);
    if (this.readbackBytes !== data.byteLength) {
      gl.bufferData(gl.PIXEL_PACK_BUFFER, (this.readbackBytes = data.byteLength), gl.STREAM_READ);
    }
    gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, 0);
    gl.bindBuffer(gl.PIXEL_PACK_BUFFER, null);
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    await this.finished();
    gl.bindBuffer(gl.PIXEL_PACK_BUFFER, this.readback);
    gl.getBufferSubData(gl.PIXEL_PACK_BUFFER, 0, data);
    gl.bindBuffer(gl.PIXEL_PACK_BUFFER, null);
    return { data, width, height };
  }

  /** Resolves once the GPU has done what it was told so far, or is lost. */
  private finished(): Promise<void> {
    const { gl } = this;
    const sync = gl.fenceSync(gl.SYNC_GPU_COMMANDS_COMPLETE, 0);
    gl.flush();
    return new Promise((resolve) => {
      const look = (): void => {
        if (sync && gl.getSyncParameter(sync, gl.SYNC_STATUS) !== gl.SIGNALED && !gl.isContextLost()) {
          setTimeout(look, POLL_MS);
          return;
        }
        gl.deleteSync(sync);
        resolve();
      };
      setTimeout(look, POLL_MS);
    });
  }

  /** The levels of one pixel, as it came and as it comes out. */
  pixel(x: number, y: number): { before: number[]; after: number[] } {
    const { gl } = this;
    const one = (source: WebGLTexture): number[] => {
      gl.bindFramebuffer(gl.FRAMEBUFFER, this.reading);
      gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, source, 0);
      const data = new Uint8Array(4);
      gl.readPixels(x, y, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, data);
      gl.bindFramebuffer(gl.FRAMEBUFFER, null);
      return Array.from(data.subarray(0, 3));
    };
    return { before: one(this.textureOf("before")), after: one(this.textureOf("after")) };
  }

  /** Give back what the GPU holds. */
  dispose(): void {
    this.gl.getExtension("WEBGL_lose_context")?.loseContext();
  }

  private textureOf(which: "before" | "after"): WebGLTexture {
    return which === "after" && this.current ? this.current.picture : this.own.before;
  }

  private viewing(look: Look): Program {
    return this.program(JSON.stringify(look), EVERYWHERE, view(look));
  }

  private program(name: string, vertex: string, fragment: string): Program {
    const known = this.programs.get(name);
    if (known) return known;
    const made = compile(this.gl, vertex, fragment);
    this.programs.set(name, made);
    return made;
  }

  private matteOf(source: Source): WebGLTexture {
    const known = this.mattes.get(source);
    if (known) return known;
    const made = texture(this.gl, this.gl.LINEAR);
    this.upload(made, source);
    this.mattes.set(source, made);
    return made;
  }

  private bind(unit: number, picture: WebGLTexture, at: WebGLUniformLocation | null): void {
    const { gl } = this;
    gl.activeTexture(gl.TEXTURE0 + unit);
    gl.bindTexture(gl.TEXTURE_2D, picture);
    gl.uniform1i(at, unit);
  }

  /** @param isSize whether the texture has the source's size already. */
  private upload(to: WebGLTexture, source: Source, isSize = false): void {
    const { gl } = this;
    const form = [gl.RGBA, gl.UNSIGNED_BYTE] as const;
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, to);
    if (isPixels(source)) {
      const { data, width, height } = source;
      const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
      if (isSize) gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, 0, width, height, ...form, bytes);
      else gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, width, height, 0, ...form, bytes);
    } else if (isSize) gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, 0, ...form, source);
    else gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, ...form, source);
  }
}

interface Target {
  width: number;
  height: number;
  picture: WebGLTexture;
  buffer: WebGLFramebuffer;
  /** Outside of this the frame lies as it came; null where that is not known. */
  around: Box | null;
}

/** What frames of one size are drawn from and into. */
interface Surfaces {
  width: number;
  height: number;
  before: WebGLTexture;
  targets: Target[];
  /** Whether a frame has been there. */
  filled: boolean;
}

function target(gl: WebGL2RenderingContext, width: number, height: number): Target {
  const picture = texture(gl, gl.LINEAR);
  gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, width, height, 0, gl.RGBA, gl.UNSIGNED_BYTE, null);
  const buffer = gl.createFramebuffer();
  gl.bindFramebuffer(gl.FRAMEBUFFER, buffer);
  gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, picture, 0);
  gl.bindFramebuffer(gl.FRAMEBUFFER, null);
  return { width, height, picture, buffer, around: null };
}

const isSame = (one: Box, other: Box): boolean =>
  one.left === other.left && one.top === other.top && one.right === other.right && one.bottom === other.bottom;

function release(gl: WebGL2RenderingContext, one: Target): void {
  gl.deleteFramebuffer(one.buffer);
  gl.deleteTexture(one.picture);
}

function texture(gl: WebGL2RenderingContext, filter: number): WebGLTexture {
  const made = gl.createTexture();
  gl.bindTexture(gl.TEXTURE_2D, made);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, filter);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, filter);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
  return made;
}

function compile(gl: WebGL2RenderingContext, vertex: string, fragment: string): Program {
  const program = gl.createProgram();
  for (const [kind, text] of [
    [gl.VERTEX_SHADER, vertex],
    [gl.FRAGMENT_SHADER, fragment],
  ] as const) {
    const shader = gl.createShader(kind);
    if (!shader) throw new NoGraphics();
    gl.shaderSource(shader, text);
    gl.compileShader(shader);
    if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS) && !gl.isContextLost()) {
      throw new Error(`shader: ${gl.getShaderInfoLog(shader)}`);
    }
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  const places = new Map<string, WebGLUniformLocation | null>();
  const at = (name: string): WebGLUniformLocation | null => {
    if (!places.has(name)) places.set(name, gl.getUniformLocation(program, name));
    return places.get(name)!;
  };
  return { program, at };
}

/** Bytes, other than those that the browser knows to be a picture. */
const isPixels = (source: Source): source is Pixels =>
  "data" in source && !(typeof ImageData !== "undefined" && source instanceof ImageData);

function sizeOf(source: TexImageSource): { width: number; height: number } {
  if ("displayWidth" in source) return { width: source.displayWidth, height: source.displayHeight };
  if ("videoWidth" in source && source.videoWidth) {
    return { width: source.videoWidth, height: source.videoHeight };
  }
  if ("naturalWidth" in source) return { width: source.naturalWidth, height: source.naturalHeight };
  return { width: source.width, height: source.height };
}
