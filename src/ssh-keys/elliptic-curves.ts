import { bytesToInteger } from './wire-reader.ts';

/** A curve y² = x³ - 3x + b over the integers modulo p (SEC 2, sections 2.4.2, 2.5.1 and 2.6.1). */
interface NistCurve {
  p: bigint;
  b: bigint;
  bits: number;
}

const NIST_CURVES = {
  nistp256: {
    bits: 256,
    p: 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn,
    b: 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn,
  },
  nistp384: {
    bits: 384,
    p: 2n ** 384n - 2n ** 128n - 2n ** 96n + 2n ** 32n - 1n,
    b: 0xb3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aefn,
  },
  nistp521: {
    bits: 521,
    p: 2n ** 521n - 1n,
    b: 0x0051953eb9618e1c9a1f929a21a0b68540eea2da725b99b315f3b8b489918ef109e156193951ec7e937b1652c0bd3bb1bf073573df883d2c34f1ef451fd46b503f00n,
  },
} as const satisfies Record<string, NistCurve>;

export type NistCurveName = keyof typeof NIST_CURVES;

export function bitsOfCurve(name: NistCurveName): number {
  return NIST_CURVES[name].bits;
}

/** Bytes of an uncompressed point: the mark 4, and two coordinates. */
export function pointSizeOf(name: NistCurveName): number {
  return 1 + 2 * Math.ceil(NIST_CURVES[name].bits / 8);
}

/**
 * Whether a point lies on its curve. One that does not gives away the other side's secret in some protocols, and
 * OpenSSH refuses it.
 *
 * @param coordinates x and y, of equal length, the most significant byte first
 */
export function isOnNistCurve(name: NistCurveName, coordinates: Uint8Array): boolean {
  const { p, b } = NIST_CURVES[name];
  const half = coordinates.length / 2;
  const x = bytesToInteger(coordinates.subarray(0, half));
  const y = bytesToInteger(coordinates.subarray(half));
  return x < p && y < p && mod(y * y - (x ** 3n - 3n * x + b), p) === 0n;
}

/** The field of edwards25519, -x² + y² = 1 + dx²y², and d, which is -121665/121666 (RFC 8032 section 5.1). */
const P = 2n ** 255n - 19n;
const D = 0x52036cee2b6ffe738cc740797779e89800700a4d4141d8ab75eb4dca135978a3n;

/**
 * Whether 32 bytes encode a point of edwards25519 (RFC 8032 section 5.1.3), and not one of small order. OpenSSH does
 * not look; but to a key of small order anybody can make signatures, and to one off the curve nobody can.
 */
export function isUsableEd25519Point(encoded: Uint8Array): boolean {
  // The last bit is the sign of x: both signs are as good.
  const y = bytesToInteger(Uint8Array.from(encoded).reverse()) & (2n ** 255n - 1n);
  if (y >= P) return false;
  const y2 = mod(y * y, P);
  // x² is u/v. A division takes longer than all else here, so the conditions on x² are put as ones on u and v.
  const u = mod(y2 - 1n, P);
  const v = mod(D * y2 + 1n, P);
  // Of order 1 and 2 are the points with x = 0, of order 4 those with y = 0, and doubling one of order 8 gives those.
  if (u === 0n || y2 === 0n || mod(u + y2 * v, P) === 0n) return false;
  // There is an x: u/v is a square just when uv is.
  return legendre(u * v, P) === 1;
}

function mod(integer: bigint, modulus: bigint): bigint {
  const rest = integer % modulus;
  return rest < 0n ? rest + modulus : rest;
}

/**
 * Legendre's symbol: 1 for a square modulo an odd prime, -1 for any other, 0 for a multiple of the prime. By
 * quadratic reciprocity, which is several times as fast as Euler's criterion. Keys are public: nothing here needs
 * constant time.
 */
function legendre(integer: bigint, prime: bigint): number {
  let [a, n] = [mod(integer, prime), prime];
  let symbol = 1;
  while (a !== 0n) {
    while ((a & 1n) === 0n) {
      a >>= 1n;
      // 2 is no square modulo 8k ± 3.
      if ((n & 7n) === 3n || (n & 7n) === 5n) symbol = -symbol;
    }
    if ((a & 3n) === 3n && (n & 3n) === 3n) symbol = -symbol;
    [a, n] = [n % a, a];
  }
  return n === 1n ? symbol : 0;
}
