/** Base64 of little-endian numbers, as metrics travel. Used by the run reducer and the charts. */

function bytes(text: string): Uint8Array {
  const binary = atob(text);
  const out = new Uint8Array(binary.length);
  for (let index = 0; index < binary.length; index += 1) {
    out[index] = binary.charCodeAt(index);
  }
  return out;
}

export function decodeFloat64(text: string): Float64Array {
  return new Float64Array(bytes(text).buffer);
}

/** Steps arrive as int64; every step below 2^53 is exact in a float64. */
export function decodeInt64(text: string): Float64Array {
  return Float64Array.from(new BigInt64Array(bytes(text).buffer as ArrayBuffer), Number);
}

export function encodeFloat64(values: ArrayLike<number>): string {
  const raw = new Uint8Array(Float64Array.from(values).buffer);
  let binary = "";
  for (let start = 0; start < raw.length; start += 32768) {
    binary += String.fromCharCode(...raw.subarray(start, start + 32768));
  }
  return btoa(binary);
}

/** The first index in ascending `values` whose value is greater than `limit`. */
export function upperBound(values: ArrayLike<number>, limit: number): number {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle]! <= limit) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}
