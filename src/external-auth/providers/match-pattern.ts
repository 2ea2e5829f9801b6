import { createContext, Script } from 'node:vm';

/** What a pattern's text tells about the URLs that it matches. */
export interface PatternShape {
  /** How many characters every match has to have literally: the more, the more specific. */
  literals: number;
  /** Some strings that it matches, one for each way through it as far as there are not too many. */
  samples: string[];
}

const MAX_SAMPLES = 64;
const ASCII = Array.from({ length: 94 }, (_, index) => String.fromCharCode(33 + index));

/** The pattern for all repositories of a host. */
export function hostPattern(host: string): RegExp {
  return new RegExp(`^(https?://)?${host.replace(/[.[\]]/g, '\\$&')}(/.*)?$`);
}

/**
 * Compiles a pattern in Go's syntax, as Coder takes it, or JavaScript's. Go's expressions take linear time; ours may
 * take for ever on the wrong input, so that a pattern has to prove itself on hostile ones.
 */
export function compilePattern(pattern: string): { regex?: RegExp; fault?: string } {
  const ignoreCase = pattern.startsWith('(?i)');
  const source = (ignoreCase ? pattern.slice('(?i)'.length) : pattern)
    .replaceAll('(?P<', '(?<')
    .replace(/^\\A/, '^')
    .replace(/\\z$/, '$');
  try {
    const regex = new RegExp(source, ignoreCase ? 'i' : '');
    if (runWithin(200, () => hostileInputs(regex).map((input) => regex.test(input))) === null) {
      return { fault: 'takes too long on some input: repeat no part that itself repeats, as in (a+)+' };
    }
    return { regex };
  } catch (error) {
    return { fault: `is no regular expression that we understand (${(error as Error).message})` };
  }
}

/** Runs pure code, and gives up on it after a while: null. A regular expression cannot be stopped in any other way. */
export function runWithin<T>(ms: number, work: () => T): T | null {
  try {
    return new Script('work()').runInContext(createContext({ work }), { timeout: ms });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') return null;
    throw error;
  }
}

/** Long inputs that match almost, which is what makes backtracking expensive. */
function hostileInputs(regex: RegExp): string[] {
  const { samples } = describePattern(regex);
  const letters = new Set([...samples.join(''), 'a', '/', '.']);
  const [sample = ''] = samples;
  return [...letters].flatMap((letter) => {
    const long = letter.repeat(1_000);
    return [`${long}\n`, `${sample}${long}\n`, `https://${long}/\n`];
  });
}

const described = new WeakMap<RegExp, PatternShape>();

export function describePattern(regex: RegExp): PatternShape {
  const shape = described.get(regex) ?? readPattern(regex.source);
  described.set(regex, shape);
  return shape;
}

/** Reads a valid expression. What it does not understand, such as a lookahead, counts as nothing. */
function readPattern(source: string): PatternShape {
  let position = 0;
  const peek = (text: string) => source.startsWith(text, position);

  function readAlternatives(): PatternShape {
    const branches = [readSequence()];
    while (peek('|')) {
      position++;
      branches.push(readSequence());
    }
    return {
      literals: Math.min(...branches.map(({ literals }) => literals)),
      samples: branches.flatMap(({ samples }) => samples).slice(0, MAX_SAMPLES),
    };
  }

  function readSequence(): PatternShape {
    let sequence: PatternShape = { literals: 0, samples: [''] };
    while (position < source.length && !peek('|') && !peek(')')) {
      sequence = join(sequence, readRepetition(readAtom()));
    }
    return sequence;
  }

  function readAtom(): PatternShape {
    if (!peek('(')) return describeCharacter(readCharacter());
    const [opening] = /^\((?:\?(?:<?[=!]|:|<\w+>))?/.exec(source.slice(position)) ?? ['('];
    position += opening.length;
    const inner = readAlternatives();
    position++;
    return /[=!]$/.test(opening) ? { literals: 0, samples: [''] } : inner;
  }

  function readCharacter(): string {
    const [text = ''] =
      /^(?:\\(?:x[\da-f]{2}|u[\da-f]{4}|c[a-z]|k<\w+>|[\s\S])|\[(?:\\[\s\S]|[^\]\\])*\]|[\s\S])/i.exec(
        source.slice(position),
      ) ?? [];
    position += text.length;
    return text;
  }

  function readRepetition(atom: PatternShape): PatternShape {
    const match = /^(?:[*+?]|\{(\d+)(?:,\d*)?\})\??/.exec(source.slice(position));
    if (!match) return atom;
    position += match[0].length;
    const times =
      match[1] === undefined ? (match[0].startsWith('+') ? 1 : 0) : Math.min(Number(match[1]), 64);
    if (times === 0) return { literals: 0, samples: ['', ...atom.samples].slice(0, MAX_SAMPLES) };
    return {
      literals: atom.literals * times,
      samples: atom.samples.map((sample) => sample.repeat(times)),
    };
  }

  return readAlternatives();
}

function describeCharacter(text: string): PatternShape {
  if (text === '.') return { literals: 0, samples: ['x'] };
  const one = new RegExp(`^(?:${text})$`);
  const members = ASCII.filter((character) => one.test(character));
  return { literals: members.length === 1 ? 1 : 0, samples: [members[0] ?? ''] };
}

function join(left: PatternShape, right: PatternShape): PatternShape {
  return {
    literals: left.literals + right.literals,
    samples: left.samples.flatMap((start) => right.samples.map((end) => start + end)).slice(0, MAX_SAMPLES),
  };
}
