/** Longer ones are no path of ours. */
const MAX_LENGTH = 2_048;
/** Nobody encodes a path so often that decoding it again and again gives more. */
const MAX_FORMS = 20;
/** Any origin that nothing links to. */
const HERE = 'http://here.invalid';

/**
 * Where to go after a form or a flow: a path of this server, with its query, or the fallback. What browsers would
 * read as another host (`//host`, `/\host`, `/<tab>/host`, `/.//host`), or might after proxies have decoded it
 * (`/%2fhost`, `/%2f/..`), is not taken: an open redirect lends our name to somebody else's page (RFC 9700 section 4.11).
 */
export function localPath(text: string | null | undefined, fallback = '/'): string {
  // Browsers drop tabs and newlines before they parse, and read a backslash as a slash.
  if (!text || text.length > MAX_LENGTH || !/^\/[\x21-\x5b\x5d-\x7e]*$/.test(text)) return fallback;
  return staysHere(text) ? text : fallback;
}

function staysHere(text: string): boolean {
  const [written = ''] = text.split(/[?#]/);
  const paths = new Set([written]);
  // What is added while the set is walked is walked, too.
  for (const path of paths) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: it is what the pattern looks for
    if (paths.size > MAX_FORMS || /[\x00-\x1f\x7f\\]/.test(path) || !URL.canParse(path, HERE)) return false;
    const { origin, pathname } = new URL(path, HERE);
    // Without its dot segments it has to begin with a single slash.
    if (origin !== HERE || pathname.startsWith('//')) return false;
    // A proxy may decode the path as it was written, or what a browser makes of it.
    paths.add(decode(path)).add(decode(pathname));
  }
  return true;
}

/** One decoding of what is ASCII: unlike decodeURIComponent, it never throws, as lenient proxies do not. */
function decode(path: string): string {
  return path.replace(/%([0-7][0-9a-f])/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}
