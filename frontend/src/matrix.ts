/** The little linear algebra that the guide needs, in float64; matrices lie row by row. */

/** `a` of (rows, inner) times `b` of (inner, columns). */
export function multiply(
  a: Float64Array,
  b: Float64Array,
  rows: number,
  inner: number,
  columns: number,
): Float64Array {
  const out = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    for (let k = 0; k < inner; k++) {
      const factor = a[i * inner + k]!;
      if (factor === 0) continue;
      for (let j = 0; j < columns; j++) out[i * columns + j]! += factor * b[k * columns + j]!;
    }
  }
  return out;
}

export function transpose(a: Float64Array, rows: number, columns: number): Float64Array {
  const out = new Float64Array(a.length);
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) out[j * rows + i] = a[i * columns + j]!;
  return out;
}

/** `a' a` of (rows, columns): (columns, columns). */
export function gram(a: Float64Array, rows: number, columns: number): Float64Array {
  const out = new Float64Array(columns * columns);
  for (let r = 0; r < rows; r++) {
    const at = r * columns;
    for (let i = 0; i < columns; i++) {
      const left = a[at + i]!;
      for (let j = i; j < columns; j++) out[i * columns + j]! += left * a[at + j]!;
    }
  }
  for (let i = 0; i < columns; i++)
    for (let j = 0; j < i; j++) out[i * columns + j] = out[j * columns + i]!;
  return out;
}

/**
 * Solve `a x = b` by elimination with partial pivoting.
 *
 * @param a (n, n), left as it is.
 * @param b (n, columns), left as it is.
 * @throws RangeError where `a` is singular.
 */
export function solve(a: Float64Array, b: Float64Array, n: number, columns: number): Float64Array {
  const left = a.slice();
  const x = b.slice();
  for (let pivot = 0; pivot < n; pivot++) {
    let best = pivot;
    for (let row = pivot + 1; row < n; row++) {
      if (Math.abs(left[row * n + pivot]!) > Math.abs(left[best * n + pivot]!)) best = row;
    }
    if (left[best * n + pivot] === 0) throw new RangeError("the matrix is singular");
    if (best !== pivot) {
      swapRows(left, pivot, best, n);
      swapRows(x, pivot, best, columns);
    }
    for (let row = pivot + 1; row < n; row++) {
      const factor = left[row * n + pivot]! / left[pivot * n + pivot]!;
      if (factor === 0) continue;
      for (let j = pivot; j < n; j++) left[row * n + j]! -= factor * left[pivot * n + j]!;
      for (let j = 0; j < columns; j++) x[row * columns + j]! -= factor * x[pivot * columns + j]!;
    }
  }
  for (let row = n - 1; row >= 0; row--) {
    for (let j = 0; j < columns; j++) {
      let value = x[row * columns + j]!;
      for (let k = row + 1; k < n; k++) value -= left[row * n + k]! * x[k * columns + j]!;
      x[row * columns + j] = value / left[row * n + row]!;
    }
  }
  return x;
}

function swapRows(a: Float64Array, one: number, other: number, width: number): void {
  for (let j = 0; j < width; j++) {
    const kept = a[one * width + j]!;
    a[one * width + j] = a[other * width + j]!;
    a[other * width + j] = kept;
  }
}

export interface Eigen {
  /** (n,), ascending. */
  values: Float64Array;
  /** (n, n), eigenvectors in columns. */
  vectors: Float64Array;
}

const MOST_SWEEPS = 60;

/** Eigenvalues and eigenvectors of a symmetric matrix (n, n), by cyclic Jacobi rotations. */
export function symmetricEigen(matrix: Float64Array, n: number): Eigen {
  const a = matrix.slice();
  const v = new Float64Array(n * n);
  for (let i = 0; i < n; i++) v[i * n + i] = 1;
  let total = 0;
  for (const value of a) total += value * value;
  for (let sweep = 0; sweep < MOST_SWEEPS; sweep++) {
    let off = 0;
    for (let p = 0; p < n; p++) for (let q = p + 1; q < n; q++) off += a[p * n + q]! ** 2;
    if (off <= 1e-32 * total) break;
    for (let p = 0; p < n; p++) for (let q = p + 1; q < n; q++) rotate(a, v, n, p, q);
  }
  const order = Array.from({ length: n }, (_, i) => i).sort((i, j) => a[i * n + i]! - a[j * n + j]!);
  const values = new Float64Array(n);
  const vectors = new Float64Array(n * n);
  order.forEach((from, to) => {
    values[to] = a[from * n + from]!;
    for (let row = 0; row < n; row++) vectors[row * n + to] = v[row * n + from]!;
  });
  return { values, vectors };
}

/** One rotation that makes the entry (p, q) of `a` zero. */
function rotate(a: Float64Array, v: Float64Array, n: number, p: number, q: number): void {
  const apq = a[p * n + q]!;
  if (apq === 0) return;
  const theta = (a[q * n + q]! - a[p * n + p]!) / (2 * apq);
  const tangent = Math.sign(theta || 1) / (Math.abs(theta) + Math.hypot(theta, 1));
  const cosine = 1 / Math.hypot(tangent, 1);
  const sine = tangent * cosine;
  for (let k = 0; k < n; k++) {
    const kp = a[k * n + p]!;
    const kq = a[k * n + q]!;
    a[k * n + p] = cosine * kp - sine * kq;
    a[k * n + q] = sine * kp + cosine * kq;
  }
  for (let k = 0; k < n; k++) {
    const pk = a[p * n + k]!;
    const qk = a[q * n + k]!;
    a[p * n + k] = cosine * pk - sine * qk;
    a[q * n + k] = sine * pk + cosine * qk;
  }
  for (let k = 0; k < n; k++) {
    const kp = v[k * n + p]!;
    const kq = v[k * n + q]!;
    v[k * n + p] = cosine * kp - sine * kq;
    v[k * n + q] = sine * kp + cosine * kq;
  }
}
