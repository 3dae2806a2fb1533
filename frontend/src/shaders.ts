/** The shaders of `renderer.ts`, in GLSL ES 3.00. */

/** Two triangles that cover everything: no buffers needed. */
export const EVERYWHERE = `#version 300 es
void main() {
  vec2 corner = vec2((gl_VertexID << 1) & 2, gl_VertexID & 2);
  gl_Position = vec4(corner * 2.0 - 1.0, 0.0, 1.0);
}`;

/**
 * One object's change, pixel by pixel at the frame's own size: what \`vhmae.engine.rendering\` does.
 * Rows of textures and of the target run from the picture's top.
 */
export const TRANSFORM = `#version 300 es
precision highp float;
precision highp int;
uniform sampler2D frame;
uniform sampler2D matte;
uniform highp sampler2D cells;
uniform ivec2 cellCount;
uniform float overall[30];
uniform float strength;
uniform bool inverted;
uniform bool keepHue;
uniform bool keepLuma;
uniform bool keepSaturation;
out vec4 result;

const vec3 LUMA = vec3(0.2126, 0.7152, 0.0722);

void near(int pixel, int count, int total, out int lower, out float share) {
  float place = clamp((float(pixel) + 0.5) * float(count) / float(total) - 0.5, 0.0, float(count - 1));
  lower = int(floor(place));
  share = place - float(lower);
}

vec4 affine(int channel, ivec2 lower, vec2 share) {
  ivec2 upper = min(lower + 1, cellCount - 1);
  vec4 above = mix(texelFetch(cells, ivec2(3 * lower.x + channel, lower.y), 0),
                   texelFetch(cells, ivec2(3 * upper.x + channel, lower.y), 0), share.x);
  vec4 below = mix(texelFetch(cells, ivec2(3 * lower.x + channel, upper.y), 0),
                   texelFetch(cells, ivec2(3 * upper.x + channel, upper.y), 0), share.x);
  return mix(above, below, share.y);
}

void main() {
  ivec2 pixel = ivec2(gl_FragCoord.xy);
  vec3 before = texelFetch(frame, pixel, 0).rgb;
  float cover = texelFetch(matte, pixel, 0).r;
  if (inverted) cover = 1.0 - cover;
  if (cover == 0.0) { result = vec4(before, 1.0); return; }
  ivec2 size = textureSize(frame, 0);
  ivec2 lower; vec2 share;
  near(pixel.x, cellCount.x, size.x, lower.x, share.x);
  near(pixel.y, cellCount.y, size.y, lower.y, share.y);
  vec3 added;
  vec3 squares = before * before;
  vec3 products = before * before.gbr;
  for (int c = 0; c < 3; c++) {
    int k = 10 * c;
    vec4 map = affine(c, lower, share)
             + vec4(overall[k], overall[k + 1], overall[k + 2], overall[k + 3]);
    added[c] = dot(map.rgb, before) + map.a
             + dot(vec3(overall[k + 4], overall[k + 5], overall[k + 6]), squares)
             + dot(vec3(overall[k + 7], overall[k + 8], overall[k + 9]), products);
  }
  vec3 moved = clamp(before + strength * added, 0.0, 1.0);
  if (keepHue || keepLuma || keepSaturation) {
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
  }
  vec3 blended = before + (moved - before) * cover;
  result = vec4(floor(blended * 255.0 + 0.5) / 255.0, 1.0);
}`;

/** What is shown of before and after: wipe, side by side, difference, matte, and zoom to pixels. */
export const VIEW = `#version 300 es
precision highp float;
precision highp int;
uniform sampler2D before;
uniform sampler2D after;
uniform sampler2D matte;
uniform vec2 canvas;
uniform vec2 offset;
uniform float scale;
uniform int mode;
uniform float wipe;
uniform float gain;
uniform bool showMatte;
uniform bool pixels;
uniform vec3 ground;
out vec4 result;

vec4 picked(sampler2D picture, vec2 place) {
  return pixels ? texelFetch(picture, ivec2(place), 0)
                      : texture(picture, place / vec2(textureSize(picture, 0)));
}

void main() {
  vec2 at = vec2(gl_FragCoord.x, canvas.y - gl_FragCoord.y);
  vec2 size = vec2(textureSize(before, 0));
  bool second = mode == 2 && at.x >= canvas.x / 2.0;
  if (second) at.x -= canvas.x / 2.0;
  vec2 place = (at - offset) / scale;
  bool outside = any(lessThan(place, vec2(0.0))) || any(greaterThanEqual(place, size));
  if (outside) { result = vec4(ground, 1.0); return; }
  vec3 old = picked(before, place).rgb;
  vec3 new = picked(after, place).rgb;
  float cover = picked(matte, place).r;
  vec3 shown = new;
  if (mode == 1) shown = place.x < wipe * size.x ? old : new;
  else if (mode == 2) shown = second ? new : old;
  else if (mode == 3) shown = clamp(0.5 + gain * (new - old), 0.0, 1.0);
  else if (mode == 4) shown = old;
  if (showMatte) {
    // Diagonal stripes over what is left out: seen without any color.
    float stripe = step(0.5, fract((gl_FragCoord.x + gl_FragCoord.y) / 12.0));
    vec3 veil = mix(vec3(0.12), vec3(0.2), stripe);
    shown = mix(mix(shown, veil, 0.78), shown, cover);
  }
  result = vec4(shown, 1.0);
}`;
