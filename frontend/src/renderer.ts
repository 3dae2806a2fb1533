/** Draws harmonized frames on the GPU: the transform at the frame's size, then what is looked at. */

import { EVERYWHERE, TRANSFORM, VIEW } from "./shaders";
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
}

/** What a texture is made of. */
export type Source = TexImageSource | Pixels;

interface Program {
  program: WebGLProgram;
  at: (name: string) => WebGLUniformLocation | null;
}

/** Says that there is no WebGL2 here. */
export class NoGraphics extends Error {
  constructor() {
    super("WebGL2 is not available");
    this.name = "NoGraphics";
  }
}

export class Renderer {
  private readonly gl: WebGL2RenderingContext;
  private readonly transforming: Program;
  private readonly viewing: Program;
  private readonly before: WebGLTexture;
  private readonly cells: WebGLTexture;
  private readonly targets: [Target, Target];
  private readonly mattes = new Map<Source, WebGLTexture>();
  private readonly blank: WebGLTexture;
  private readonly reading: WebGLFramebuffer;
  private current: Target | null = null;
  private shownMatte: WebGLTexture;
  private size = { width: 1, height: 1 };

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
    this.transforming = compile(gl, TRANSFORM);
    this.viewing = compile(gl, VIEW);
    this.before = texture(gl, gl.LINEAR);
    this.cells = texture(gl, gl.NEAREST);
    this.targets = [target(gl), target(gl)];
    this.blank = texture(gl, gl.NEAREST);
    this.reading = gl.createFramebuffer();
    this.upload(this.blank, { data: new Uint8Array([0, 0, 0, 255]), width: 1, height: 1 });
    this.shownMatte = this.blank;
  }

  get frameSize(): { width: number; height: number } {
    return this.size;
  }

  /** Take a frame; what was rendered before is forgotten, mattes too. */
  setFrame(source: Source): void {
    const { gl } = this;
    this.size = this.upload(this.before, source);
    for (const one of this.mattes.values()) gl.deleteTexture(one);
    this.mattes.clear();
    this.shownMatte = this.blank;
    for (const one of this.targets) {
      gl.bindTexture(gl.TEXTURE_2D, one.picture);
      gl.texImage2D(
        gl.TEXTURE_2D, 0, gl.RGBA8, this.size.width, this.size.height, 0, gl.RGBA, gl.UNSIGNED_BYTE, null,
      );
    }
    this.current = null;
  }

  /**
   * Change the frame, object by object; the canvas is not touched.
   *
   * @param matte what the view shows as the matte: the first layer's where it is left out.
   */
  render(layers: readonly Layer[], matte?: Source): void {
    const { gl } = this;
    let from = this.before;
    this.current = null;
    gl.useProgram(this.transforming.program);
    gl.viewport(0, 0, this.size.width, this.size.height);
    layers.forEach((layer, i) => {
      const to = this.targets[i % 2]!;
      gl.bindFramebuffer(gl.FRAMEBUFFER, to.buffer);
      this.draw(from, layer);
      from = to.picture;
      this.current = to;
    });
    const looked = matte ?? layers[0]?.matte;
    this.shownMatte = looked ? this.matteOf(looked) : this.blank;
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
  }

  private draw(from: WebGLTexture, layer: Layer): void {
    const { gl } = this;
    const { at } = this.transforming;
    const { change } = layer;
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
    gl.uniform1fv(at("overall[0]"), Float32Array.from(change.overall));
    gl.uniform1f(at("strength"), change.strength);
    gl.uniform1i(at("inverted"), Number(layer.inverted ?? false));
    gl.uniform1i(at("keepHue"), Number(change.keep.includes("hue")));
    gl.uniform1i(at("keepLuma"), Number(change.keep.includes("luma")));
    gl.uniform1i(at("keepSaturation"), Number(change.keep.includes("saturation")));
    gl.drawArrays(gl.TRIANGLES, 0, 3);
  }

  /** Show the frame on the canvas, whose size is its own. */
  show(view: View): void {
    const { gl, canvas } = this;
    const { at, program } = this.viewing;
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.useProgram(program);
    const after = this.current?.picture ?? this.before;
    this.bind(0, this.before, at("before"));
    this.bind(1, after, at("after"));
    this.bind(2, this.shownMatte, at("matte"));
    gl.uniform2f(at("canvas"), canvas.width, canvas.height);
    gl.uniform2f(at("offset"), ...view.offset);
    gl.uniform1f(at("scale"), view.scale);
    gl.uniform1i(at("mode"), MODES.indexOf(view.mode));
    gl.uniform1f(at("wipe"), view.wipe);
    gl.uniform1f(at("gain"), view.gain);
    gl.uniform1i(at("pixels"), Number(view.pixels));
    gl.uniform1i(at("showMatte"), Number(view.showMatte));
    gl.uniform3f(at("ground"), ...view.ground);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
  }

  /** The frame as it came or as it comes out, four bytes a pixel from the top; the exact levels. */
  read(which: "before" | "after"): Pixels & { data: Uint8Array } {
    const { gl } = this;
    const { width, height } = this.size;
    const data = new Uint8Array(4 * width * height);
    const source = which === "after" && this.current ? this.current.picture : this.before;
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.reading);
    gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, source, 0);
    gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, data);
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    return { data, width, height };
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
    return { before: one(this.before), after: one(this.current?.picture ?? this.before) };
  }

  /** Give back what the GPU holds. */
  dispose(): void {
    this.gl.getExtension("WEBGL_lose_context")?.loseContext();
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

  private upload(to: WebGLTexture, source: Source): { width: number; height: number } {
    const { gl } = this;
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, to);
    if ("data" in source && !isImageData(source)) {
      const { data, width, height } = source;
      const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, width, height, 0, gl.RGBA, gl.UNSIGNED_BYTE, bytes);
      return { width, height };
    }
    const picture = source as TexImageSource;
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, gl.RGBA, gl.UNSIGNED_BYTE, picture);
    return sizeOf(picture);
  }
}

interface Target {
  picture: WebGLTexture;
  buffer: WebGLFramebuffer;
}

function target(gl: WebGL2RenderingContext): Target {
  const picture = texture(gl, gl.LINEAR);
  gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA8, 1, 1, 0, gl.RGBA, gl.UNSIGNED_BYTE, null);
  const buffer = gl.createFramebuffer();
  gl.bindFramebuffer(gl.FRAMEBUFFER, buffer);
  gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, picture, 0);
  gl.bindFramebuffer(gl.FRAMEBUFFER, null);
  return { picture, buffer };
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

function compile(gl: WebGL2RenderingContext, fragment: string): Program {
  const program = gl.createProgram();
  for (const [kind, text] of [
    [gl.VERTEX_SHADER, EVERYWHERE],
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

const isImageData = (source: Source): source is ImageData =>
  typeof ImageData !== "undefined" && source instanceof ImageData;

function sizeOf(source: TexImageSource): { width: number; height: number } {
  if ("displayWidth" in source) return { width: source.displayWidth, height: source.displayHeight };
  if ("videoWidth" in source && source.videoWidth) {
    return { width: source.videoWidth, height: source.videoHeight };
  }
  if ("naturalWidth" in source) return { width: source.naturalWidth, height: source.naturalHeight };
  return { width: source.width, height: source.height };
}
