/**
 * The shaders of `renderer.ts`, in GLSL ES 3.00.
 *
 * A browser may draw by software, on the processors that everything else needs: there is one program
 * for each thing that is drawn, which reads and computes what that thing needs and no more.
 */

const HEAD = `#version 300 es
precision highp float;
precision highp int;
`;

/** A triangle that covers everything: no buffers needed. */
export const EVERYWHERE = `#version 300 es
void main() {
  vec2 corner = vec2((gl_VertexID << 1) & 2, gl_VertexID & 2);
  gl_Position = vec4(corner * 2.0 - 1.0, 0.0, 1.0);
}`;

/**
 * Two triangles between the centers of neighboring cells, out to the frame's edges at the outermost:
 * within them maps are a + b x + c y + d x y, and what a, b, c and d are is found once. The affine
 * terms of the whole foreground's map are in them.
 */
export const CELLS = `${HEAD}
uniform highp sampler2D cells;
uniform ivec2 cellCount;
uniform vec2 size;
uniform vec4 affine[3];
flat out vec2 lower;
flat out vec4 red[4];
flat out vec4 green[4];
flat out vec4 blue[4];

void corners(int channel, ivec2 lower, ivec2 upper, out vec4 terms[4]) {
  vec4 at = texelFetch(cells, ivec2(3 * lower.x + channel, lower.y), 0);
  vec4 right = texelFetch(cells, ivec2(3 * upper.x + channel, lower.y), 0);
  vec4 below = texelFetch(cells, ivec2(3 * lower.x + channel, upper.y), 0);
  vec4 across = texelFetch(cells, ivec2(3 * upper.x + channel, upper.y), 0);
  terms[0] = at + affine[channel];
  terms[1] = right - at;
  terms[2] = below - at;
  terms[3] = across - right - below + at;
}

void main() {
  ivec2 count = max(cellCount - 1, 1);
  int quad = gl_VertexID / 6;
  int vertex = gl_VertexID - 6 * quad;
  ivec2 first = ivec2(quad - quad / count.x * count.x, quad / count.x);
  ivec2 second = min(first + 1, cellCount - 1);
  lower = vec2(first);
  corners(0, first, second, red);
  corners(1, first, second, green);
  corners(2, first, second, blue);
  ivec2 corner = ivec2(vertex == 1 || vertex == 2 || vertex == 4, vertex == 2 || vertex == 4 || vertex == 5);
  ivec2 center = first + corner;
  // Whole pixels: each lies between the centers that its own center lies between.
  vec2 place = ceil((vec2(center) + 0.5) * size / vec2(cellCount) - 0.5) / size;
  if (center.x == 0) place.x = 0.0;
  if (center.y == 0) place.y = 0.0;
  if (center.x == count.x) place.x = 1.0;
  if (center.y == count.y) place.y = 1.0;
  gl_Position = vec4(place * 2.0 - 1.0, 0.0, 1.0);
}`;

const KEEPING = `
  float luma = dot(LUMA, before);
  float newLuma = dot(LUMA, moved);
  vec3 chroma = before - luma;
  vec3 newChroma = moved - newLuma;
  float size0 = length(chroma);
  float size1 = length(newChroma);
  if (keepHue && keepSaturation) newChroma = chroma;
  else if (keepHue) newChroma = chroma * (size1 / max(size0, 1e-4));
  else if (keepSaturation) newChroma = newChroma * (size0 / max(size1, 1e-4));
  moved = clamp((keepLuma ? luma : newLuma) + newChroma, 0.0, 1.0);
`;

/**
 * One object's change, pixel by pixel at the frame's own size: what `vhmae.engine.rendering` does.
 * Rows of textures and of the target run from the picture's top.
 *
 * @param keeps whether hue, luma or saturation are kept.
 */
export const transform = (keeps: boolean): string => `${HEAD}
uniform sampler2D frame;
uniform sampler2D matte;
uniform vec2 perPixel;
uniform vec2 last;
uniform vec3 squares[3];
uniform vec3 products[3];
uniform float strength;
uniform float inverted;
uniform bool keepHue;
uniform bool keepLuma;
uniform bool keepSaturation;
flat in vec2 lower;
flat in vec4 red[4];
flat in vec4 green[4];
flat in vec4 blue[4];
out vec4 result;

const vec3 LUMA = vec3(0.2126, 0.7152, 0.0722);

void main() {
  ivec2 pixel = ivec2(gl_FragCoord.xy);
  vec3 before = texelFetch(frame, pixel, 0).rgb;
  float cover = texelFetch(matte, pixel, 0).r;
  cover = abs(cover - inverted);
  vec2 place = clamp(gl_FragCoord.xy * perPixel - 0.5, vec2(0.0), last);
  vec2 at = place - lower;
  float both = at.x * at.y;
  vec3 two = before * before;
  vec3 mixed = before * before.gbr;
  vec4 one = vec4(before, 1.0);
  vec3 added = vec3(
    dot(red[0] + at.x * red[1] + at.y * red[2] + both * red[3], one)
      + dot(squares[0], two) + dot(products[0], mixed),
    dot(green[0] + at.x * green[1] + at.y * green[2] + both * green[3], one)
      + dot(squares[1], two) + dot(products[1], mixed),
    dot(blue[0] + at.x * blue[1] + at.y * blue[2] + both * blue[3], one)
      + dot(squares[2], two) + dot(products[2], mixed));
  vec3 moved = clamp(before + strength * added, 0.0, 1.0);
${keeps ? KEEPING : ""}
  vec3 blended = before + (moved - before) * cover;
  result = vec4(floor(blended * 255.0 + 0.5) / 255.0, 1.0);
}`;

/** What of a picture is shown: itself, or how far it is from another one. */
export interface Look {
  differs: boolean;
  /** Pixels as squares. */
  pixels: boolean;
  /** What the matte leaves out is veiled. */
  veiled: boolean;
}

/** A picture in the canvas, and around it nothing. */
export const view = ({ differs, pixels, veiled }: Look): string => {
  const read = (name: string): string =>
    pixels ? `texelFetch(${name}, ivec2(place), 0)` : `texture(${name}, place / size)`;
  return `${HEAD}
uniform sampler2D picture;
uniform sampler2D other;
uniform sampler2D matte;
uniform vec2 size;
uniform float lines;
uniform vec2 offset;
uniform float scale;
uniform float gain;
out vec4 result;

void main() {
  vec2 at = vec2(gl_FragCoord.x, lines - gl_FragCoord.y);
  vec2 place = clamp((at - offset) / scale, vec2(0.0), size - 1e-3);
  vec3 shown = ${read("picture")}.rgb;
  ${differs ? `shown = clamp(0.5 + gain * (shown - ${read("other")}.rgb), 0.0, 1.0);` : ""}
  ${veiled ? `
  // Diagonal stripes over what is left out: seen without any color.
  float stripe = step(0.5, fract((gl_FragCoord.x + gl_FragCoord.y) / 12.0));
  vec3 veil = mix(vec3(0.12), vec3(0.2), stripe);
  shown = mix(mix(shown, veil, 0.78), shown, ${read("matte")}.r);` : ""}
  result = vec4(shown, 1.0);
}`;
};

/** A picture at fewer pixels, each one of its own, with the matte as alpha. */
export const FEWER = `${HEAD}
uniform sampler2D picture;
uniform sampler2D matte;
uniform vec2 target;
out vec4 result;

void main() {
  ivec2 pixel = ivec2(gl_FragCoord.xy / target * vec2(textureSize(picture, 0)));
  result = vec4(texelFetch(picture, pixel, 0).rgb, texelFetch(matte, pixel, 0).r);
}`;
