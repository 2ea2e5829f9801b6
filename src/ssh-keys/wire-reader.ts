/** The bytes do not hold what their format asks for; the message ends a sentence that begins "The key's data ". */
export class MalformedWire extends Error {}

/** Reads the data types of SSH (RFC 4251 section 5), each in its one canonical form. */
export class WireReader {
  readonly #bytes: Uint8Array;
  #position = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** A length of 4 bytes, and as many bytes. */
  string(): Uint8Array {
    const start = this.#position + 4;
    if (start > this.#bytes.length) throw new MalformedWire('ends too early: a part of the key is missing');
    const length = new DataView(this.#bytes.buffer, this.#bytes.byteOffset + this.#position).getUint32(0);
    if (length > this.#bytes.length - start) {
      throw new MalformedWire('ends too early: a part of the key is missing');
    }
    this.#position = start + length;
    return this.#bytes.subarray(start, this.#position);
  }

  /** A string that holds text. Bytes outside of ASCII become characters that no name has. */
  text(): string {
    return Buffer.from(this.string()).toString('latin1');
  }

  /** An integer greater than 0: without leading zeros, but for the one that keeps it from being negative. */
  positiveInteger(): bigint {
    const bytes = this.string();
    const [first = 0, second = 0] = bytes;
    if (bytes.length === 0 || first >= 0x80) throw new MalformedWire('holds a number that is not above 0');
    if (first === 0 && second < 0x80) throw new MalformedWire('holds a number with needless leading zeros');
    return bytesToInteger(bytes);
  }

  end(): void {
    const rest = this.#bytes.length - this.#position;
    if (rest > 0) throw new MalformedWire(`goes on for ${rest} bytes behind the end of the key`);
  }
}

/** @param bytes the most significant one first, at least one */
export function bytesToInteger(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).toString('hex')}`);
}

export function bitLength(integer: bigint): number {
  return integer.toString(2).length;
}
